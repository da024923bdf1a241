// Keccak-256 with the padding of the original submission (0x01), as Ethereum and FISCO BCOS use it; SHA3-256 pads with 0x06.
#ifndef AMOP_NATIVE_CORE_KECCAK_H_
#define AMOP_NATIVE_CORE_KECCAK_H_

#include <cstddef>
#include <cstdint>

namespace amop {

constexpr size_t kKeccak256Bytes = 32;

// `digest` has room for kKeccak256Bytes and may overlap `data`.
void Keccak256(const uint8_t* data, size_t bytes, uint8_t* digest);

}  // namespace amop

#endif  // AMOP_NATIVE_CORE_KECCAK_H_
