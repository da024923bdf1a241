// Overwrites secrets so that the compiler may not leave it out as a dead store.
#ifndef AMOP_NATIVE_CORE_WIPE_H_
#define AMOP_NATIVE_CORE_WIPE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace amop {

inline void Wipe(void* data, size_t bytes) {
#if defined(__GNUC__)
  std::memset(data, 0, bytes);
  __asm__ __volatile__("" : : "r"(data) : "memory");
#else
  volatile uint8_t* p = static_cast<uint8_t*>(data);
  for (size_t i = 0; i < bytes; i++) p[i] = 0;
#endif
}

}  // namespace amop

#endif  // AMOP_NATIVE_CORE_WIPE_H_
