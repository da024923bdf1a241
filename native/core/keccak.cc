#include "keccak.h"

#include <cstring>

namespace amop {

namespace {

constexpr int kLanes = 25;
constexpr int kRounds = 24;
// Bytes taken in between two permutations: the 1600-bit state less twice the digest.
constexpr size_t kRateBytes = 136;

constexpr uint64_t kRoundConstants[kRounds] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
    0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
    0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

// Rho and pi as one walk over the lanes from lane 1: where each lane goes, and by how many bits it turns.
constexpr int kWalk[kLanes - 1] = {10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1};
constexpr int kTurns[kLanes - 1] = {1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
                                    27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44};

inline uint64_t RotateLeft(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }

void Permute(uint64_t* a) {
  for (const uint64_t constant : kRoundConstants) {
    uint64_t column[5];
    for (int x = 0; x < 5; x++) column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    for (int x = 0; x < 5; x++) {
      const uint64_t mix = column[(x + 4) % 5] ^ RotateLeft(column[(x + 1) % 5], 1);
      for (int y = 0; y < kLanes; y += 5) a[x + y] ^= mix;
    }
    uint64_t moving = a[1];
    for (int i = 0; i < kLanes - 1; i++) {
      const uint64_t next = a[kWalk[i]];
      a[kWalk[i]] = RotateLeft(moving, kTurns[i]);
      moving = next;
    }
    for (int y = 0; y < kLanes; y += 5) {
      const uint64_t row[5] = {a[y], a[y + 1], a[y + 2], a[y + 3], a[y + 4]};
      for (int x = 0; x < 5; x++) a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
    }
    a[0] ^= constant;
  }
}

// Lanes are little-endian whatever the machine is.
inline uint64_t LoadLane(const uint8_t* p) {
  uint64_t lane = 0;
  for (int i = 7; i >= 0; i--) lane = (lane << 8) | p[i];
  return lane;
}

void Absorb(uint64_t* state, const uint8_t* block) {
  for (size_t i = 0; i < kRateBytes / 8; i++) state[i] ^= LoadLane(block + 8 * i);
  Permute(state);
}

}  // namespace

void Keccak256(const uint8_t* data, size_t bytes, uint8_t* digest) {
  uint64_t state[kLanes] = {};
  for (; bytes >= kRateBytes; data += kRateBytes, bytes -= kRateBytes) Absorb(state, data);
  uint8_t last[kRateBytes] = {};
  if (bytes > 0) std::memcpy(last, data, bytes);
  last[bytes] = 0x01;
  last[kRateBytes - 1] |= 0x80;
  Absorb(state, last);
  for (size_t i = 0; i < kKeccak256Bytes; i++) digest[i] = static_cast<uint8_t>(state[i / 8] >> (8 * (i % 8)));
}

}  // namespace amop
