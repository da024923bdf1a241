#include "frame_scanner.h"

#include <cstring>

namespace amop {

namespace {

constexpr uint32_t kUnicast = 0x30;
constexpr uint32_t kMulticast = 0x35;

inline uint32_t LoadBig32(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) << 24 | static_cast<uint32_t>(p[1]) << 16 | static_cast<uint32_t>(p[2]) << 8 |
         static_cast<uint32_t>(p[3]);
}

// Eight bytes at a time: (x - 0x20) borrows into bit 7 exactly when a byte is below 0x20 (bytes from 0x80 on are masked by
// ~x), and the same for zero bytes of x ^ 0x7f. Borrows of a lower byte can only follow a true hit, so the answer is exact.
bool HasControlCharacter(const uint8_t* p, size_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101ULL;
  constexpr uint64_t kHigh = 0x8080808080808080ULL;
  uint64_t hits = 0;
  size_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    uint64_t x;
    std::memcpy(&x, p + i, sizeof x);
    const uint64_t d = x ^ (kOnes * 0x7f);
    hits |= ((x - kOnes * 0x20) & ~x & kHigh) | ((d - kOnes) & ~d & kHigh);
  }
  bool found = hits != 0;
  for (; i < bytes; i++) found |= p[i] < 0x20 || p[i] == 0x7f;
  return found;
}

template <size_t kSize>
inline bool StartsWith(const uint8_t* topic, size_t bytes, const char (&prefix)[kSize]) {
  return bytes >= kSize - 1 && std::memcmp(topic, prefix, kSize - 1) == 0;
}

bool ReservedForSending(uint32_t type, const uint8_t* topic, size_t bytes) {
  if (bytes == 0) return false;
  if (topic[0] == '_') return StartsWith(topic, bytes, "_block_notify_");
  if (topic[0] != '#') return false;
  return StartsWith(topic, bytes, "#!$PushChannel_") ||
         (type == kMulticast && StartsWith(topic, bytes, "#!$VerifyChannel_"));
}

}  // namespace

FrameScanner::FrameScanner(int64_t frame_bytes_max, HashKey key)
    : frame_bytes_max_(frame_bytes_max >= static_cast<int64_t>(kHeaderBytes) && frame_bytes_max <= INT32_MAX
                           ? static_cast<uint32_t>(frame_bytes_max)
                           : 0),
      topics_(key) {}

int32_t FrameScanner::ReadTopic(uint32_t type, const uint8_t* body, size_t body_bytes, int32_t* topic_bytes) const {
  if (body_bytes == 0) return static_cast<int32_t>(TopicFault::kEmptyBody);
  const size_t counted = body[0];
  if (counted == 0) return static_cast<int32_t>(TopicFault::kLengthZero);
  if (counted > body_bytes) return static_cast<int32_t>(TopicFault::kLengthBeyondBody);
  const uint8_t* topic = body + 1;
  const size_t bytes = counted - 1;
  *topic_bytes = static_cast<int32_t>(bytes);
  if (HasControlCharacter(topic, bytes)) return static_cast<int32_t>(TopicFault::kControlCharacter);
  if (ReservedForSending(type, topic, bytes)) return static_cast<int32_t>(TopicFault::kReserved);
  // kNone is kUnknown.
  return topics_.Lookup(topic, bytes);
}
static_assert(TopicInterner::kNone == static_cast<int32_t>(TopicFault::kUnknown),
              "Lookup() results go into rows as they are");

bool FrameScanner::Scan(const uint8_t* chunk, size_t bytes, size_t start, int32_t* rows, size_t rows_ints) const {
  if (frame_bytes_max_ == 0 || bytes > INT32_MAX || start > bytes || rows_ints < kHeadInts + kRowInts) return false;
  const size_t rows_max = (rows_ints - kHeadInts) / kRowInts;
  size_t count = 0;
  size_t offset = start;
  ScanStatus status = ScanStatus::kOk;
  uint32_t next_length = 0;
  while (bytes - offset >= 4) {
    const uint8_t* frame = chunk + offset;
    const uint32_t length = LoadBig32(frame);
    if (length < kHeaderBytes) {
      status = ScanStatus::kTooShort;
      break;
    }
    if (length > frame_bytes_max_) {
      status = ScanStatus::kTooLong;
      break;
    }
    if (length > bytes - offset) {
      next_length = length;
      break;
    }
    if (count == rows_max) {
      status = ScanStatus::kRowsFull;
      break;
    }
    const uint32_t type = static_cast<uint32_t>(frame[4]) << 8 | frame[5];
    int32_t topic = 0;
    int32_t topic_bytes = 0;
    if (type == kUnicast || type == kMulticast) {
      topic = ReadTopic(type, frame + kHeaderBytes, length - kHeaderBytes, &topic_bytes);
    }
    int32_t* row = rows + kHeadInts + count * kRowInts;
    row[0] = static_cast<int32_t>(offset);
    row[1] = static_cast<int32_t>(length);
    row[2] = static_cast<int32_t>(type);
    row[3] = static_cast<int32_t>(LoadBig32(frame + 38));
    row[4] = topic;
    row[5] = topic_bytes;
    count++;
    offset += length;
  }
  rows[0] = static_cast<int32_t>(status);
  rows[1] = static_cast<int32_t>(count);
  rows[2] = static_cast<int32_t>(offset - start);
  rows[3] = static_cast<int32_t>(next_length);
  return true;
}

}  // namespace amop
