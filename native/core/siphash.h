// SipHash (Aumasson and Bernstein): a keyed hash of short inputs. Whoever does not know the key cannot choose topics that
// collide, which is the only property asked of it here; 1-3 rounds are the usual choice for hash tables.
#ifndef AMOP_NATIVE_CORE_SIPHASH_H_
#define AMOP_NATIVE_CORE_SIPHASH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace amop {

struct HashKey {
  uint64_t k0;
  uint64_t k1;
};

namespace siphash_detail {

inline uint64_t RotateLeft(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }

// Host byte order is enough for a table that never leaves the process, but little-endian keeps the published vectors.
inline uint64_t LoadLittle64(const uint8_t* p) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
#else
  uint64_t v = 0;
  for (int i = 7; i >= 0; i--) v = (v << 8) | p[i];
  return v;
#endif
}

inline void Round(uint64_t& v0, uint64_t& v1, uint64_t& v2, uint64_t& v3) {
  v0 += v1;
  v1 = RotateLeft(v1, 13) ^ v0;
  v0 = RotateLeft(v0, 32);
  v2 += v3;
  v3 = RotateLeft(v3, 16) ^ v2;
  v0 += v3;
  v3 = RotateLeft(v3, 21) ^ v0;
  v2 += v1;
  v1 = RotateLeft(v1, 17) ^ v2;
  v2 = RotateLeft(v2, 32);
}

}  // namespace siphash_detail

template <int kCompressionRounds, int kFinalRounds>
inline uint64_t SipHash(HashKey key, const uint8_t* data, size_t bytes) {
  using siphash_detail::LoadLittle64;
  using siphash_detail::Round;
  uint64_t v0 = 0x736f6d6570736575ULL ^ key.k0;
  uint64_t v1 = 0x646f72616e646f6dULL ^ key.k1;
  uint64_t v2 = 0x6c7967656e657261ULL ^ key.k0;
  uint64_t v3 = 0x7465646279746573ULL ^ key.k1;
  const size_t whole = bytes & ~size_t{7};
  for (size_t i = 0; i < whole; i += 8) {
    const uint64_t m = LoadLittle64(data + i);
    v3 ^= m;
    for (int r = 0; r < kCompressionRounds; r++) Round(v0, v1, v2, v3);
    v0 ^= m;
  }
  uint64_t last = static_cast<uint64_t>(bytes) << 56;
  for (size_t i = whole; i < bytes; i++) last |= static_cast<uint64_t>(data[i]) << (8 * (i - whole));
  v3 ^= last;
  for (int r = 0; r < kCompressionRounds; r++) Round(v0, v1, v2, v3);
  v0 ^= last;
  v2 ^= 0xff;
  for (int r = 0; r < kFinalRounds; r++) Round(v0, v1, v2, v3);
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace amop

#endif  // AMOP_NATIVE_CORE_SIPHASH_H_
