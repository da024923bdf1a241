// Channel frame scanner: describes every complete frame of a chunk as a row of integers.
// The contract, with the meaning of each integer, is src/addon/types.ts; the constants here repeat it and the suite that
// runs over both implementations keeps them equal.
//
// Frame of the 2.x channel protocol, big-endian:
//
//   0      4    length, the whole frame
//   4      2    type
//   6      32   seq
//   38     4    result, signed
//   42     n    body; of types 0x30 and 0x35: u8 1 + topic bytes, topic, payload
//
// Reads only inside [chunk, chunk + bytes) and writes only inside the rows it was given, whatever the bytes say, even while
// another thread changes them: a length is loaded once and everything after it is checked against that value.
#ifndef AMOP_NATIVE_CORE_FRAME_SCANNER_H_
#define AMOP_NATIVE_CORE_FRAME_SCANNER_H_

#include <cstddef>
#include <cstdint>

#include "topic_interner.h"

namespace amop {

enum class ScanStatus : int32_t { kOk = 0, kRowsFull = 1, kTooShort = 2, kTooLong = 3 };

enum class TopicFault : int32_t {
  kUnknown = -1,
  kEmptyBody = -2,
  kLengthZero = -3,
  kLengthBeyondBody = -4,
  kControlCharacter = -5,
  kReserved = -6,
};

class FrameScanner {
 public:
  static constexpr size_t kHeaderBytes = 42;
  static constexpr size_t kHeadInts = 4;
  static constexpr size_t kRowInts = 6;

  // A maximum below the header or above INT32_MAX makes every Scan() refuse.
  FrameScanner(int64_t frame_bytes_max, HashKey key);

  // False when it was called wrongly (start beyond the chunk, a chunk beyond INT32_MAX bytes, no room for one row, a
  // maximum out of range); nothing was read or written then.
  bool Scan(const uint8_t* chunk, size_t bytes, size_t start, int32_t* rows, size_t rows_ints) const;

  TopicInterner& topics() { return topics_; }
  const TopicInterner& topics() const { return topics_; }

 private:
  // Topic id or fault of the body of a 0x30 or 0x35; sets `*topic_bytes` when the length byte is right.
  int32_t ReadTopic(uint32_t type, const uint8_t* body, size_t body_bytes, int32_t* topic_bytes) const;

  uint32_t frame_bytes_max_;
  TopicInterner topics_;
};

}  // namespace amop

#endif  // AMOP_NATIVE_CORE_FRAME_SCANNER_H_
