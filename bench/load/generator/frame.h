// Channel frames of the 2.x SDK side, as far as a load generator needs them.
//
//   offset 0  u32 BE  length of the whole frame
//          4  u16 BE  type
//          6  32 B    seq
//         38  i32 BE  result
//         42          body; types 0x30 and 0x31: u8 (1 + topic bytes), topic, payload
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace bench {

inline constexpr size_t kHeaderBytes = 42;
inline constexpr size_t kSeqOffset = 6;
inline constexpr size_t kSeqBytes = 32;
inline constexpr size_t kTopicBytesMax = 254;
inline constexpr size_t kFrameBytesMax = 104857584;

inline constexpr uint16_t kHeartbeat = 0x13;
inline constexpr uint16_t kHandshake = 0x14;
inline constexpr uint16_t kRequest = 0x30;
inline constexpr uint16_t kResponse = 0x31;
inline constexpr uint16_t kSubscribe = 0x32;

inline uint32_t readU32(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

inline void writeU32(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 24);
  at[1] = static_cast<uint8_t>(value >> 16);
  at[2] = static_cast<uint8_t>(value >> 8);
  at[3] = static_cast<uint8_t>(value);
}

inline void writeU16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

// A view of one complete frame; valid only while its buffer is.
struct Frame {
  const uint8_t* data;
  size_t bytes;

  uint16_t type() const { return static_cast<uint16_t>(data[4] << 8 | data[5]); }
  const uint8_t* seq() const { return data + kSeqOffset; }
  int32_t result() const { return static_cast<int32_t>(readU32(data + 38)); }
  const uint8_t* body() const { return data + kHeaderBytes; }
  size_t bodyBytes() const { return bytes - kHeaderBytes; }
};

inline std::vector<uint8_t> encodeFrame(uint16_t type, const std::string& seq, const std::string& body) {
  std::vector<uint8_t> frame(kHeaderBytes + body.size(), 0);
  writeU32(frame.data(), static_cast<uint32_t>(frame.size()));
  writeU16(frame.data() + 4, type);
  std::memcpy(frame.data() + kSeqOffset, seq.data(), kSeqBytes);
  std::memcpy(frame.data() + kHeaderBytes, body.data(), body.size());
  return frame;
}

}  // namespace bench
