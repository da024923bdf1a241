// Sequences that look like the random UUIDs of real SDKs (so that hash tables of the relay see what they see in
// service) and still carry the number of their request: two 64-bit halves, the first an invertible mix of the number,
// the second a mix of the first. An answer is decoded without a table, and a seq nobody sent is recognised.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

// splitmix64's finaliser (Steele, Lea and Flood); a bijection.
inline uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

// The inverse of mix64.
inline uint64_t unmix64(uint64_t x) {
  x = (x ^ (x >> 31) ^ (x >> 62)) * 0x319642b2d24d8ec3ull;
  x = (x ^ (x >> 27) ^ (x >> 54)) * 0x96de1b173f119089ull;
  return x ^ (x >> 30) ^ (x >> 60);
}

class SeqCodec {
 public:
  explicit SeqCodec(uint64_t seed) : key_(mix64(seed + 0x9e3779b97f4a7c15ull)) {
    digit_value_.fill(-1);
    for (int value = 0; value < 16; value++) digit_value_[static_cast<unsigned char>(kDigits[value])] = static_cast<int8_t>(value);
  }

  void encode(uint64_t id, uint8_t* seq) const {
    const uint64_t high = mix64(id ^ key_);
    writeHex(high, seq);
    writeHex(mix64(high ^ ~key_), seq + 16);
  }

  // False for a seq this codec did not make.
  bool decode(const uint8_t* seq, uint64_t& id) const {
    uint64_t high = 0;
    uint64_t low = 0;
    if (!readHex(seq, high) || !readHex(seq + 16, low) || low != mix64(high ^ ~key_)) return false;
    id = unmix64(high) ^ key_;
    return true;
  }

 private:
  static constexpr char kDigits[] = "0123456789abcdef";

  static void writeHex(uint64_t value, uint8_t* at) {
    for (int i = 15; i >= 0; i--, value >>= 4) at[i] = static_cast<uint8_t>(kDigits[value & 15]);
  }

  bool readHex(const uint8_t* at, uint64_t& value) const {
    for (int i = 0; i < 16; i++) {
      const int digit = digit_value_[at[i]];
      if (digit < 0) return false;
      value = value << 4 | static_cast<uint64_t>(digit);
    }
    return true;
  }

  uint64_t key_;
  std::array<int8_t, 256> digit_value_{};
};

}  // namespace bench
