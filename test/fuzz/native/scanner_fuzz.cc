// Deterministic fuzz loop over the frame scanner: valid streams, mutated and cut, and plain noise, compared with a slow
// decoder written from the contract alone. Every chunk and every row array stands in a heap block of exactly its size, so that
// AddressSanitizer sees a single byte too many.
//
//   scanner_fuzz [iterations] [seed] [seconds]      seconds only bounds slow machines
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "../../../native/core/frame_scanner.h"
#include "../../native/check.h"

namespace {

constexpr size_t kFrameBytesMax = 700;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  // splitmix64
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  size_t Below(size_t bound) { return static_cast<size_t>(Next() % bound); }
  std::string Bytes(size_t length) {
    std::string bytes(length, '\0');
    for (char& byte : bytes) byte = static_cast<char>(Next());
    return bytes;
  }

 private:
  uint64_t state_;
};

const std::vector<std::string> kTopics = {"", "a", "topicA", "_block_notify_1", "#!$VerifyChannel_x", "#!$PushChannel_x",
                                          std::string(254, 'n'), "bank.settlement.17", "\xe4\xb8\xbb\xe9\xa2\x98"};

std::string RandomFrame(Random& random) {
  const uint16_t types[] = {0x30, 0x35, 0x30, 0x35, 0x31, 0x12, 0x13, static_cast<uint16_t>(random.Next())};
  const uint16_t type = types[random.Below(8)];
  std::string body;
  switch (random.Below(4)) {
    case 0:
      body = random.Bytes(random.Below(60));
      break;
    case 1: {
      const std::string topic = random.Bytes(random.Below(255));
      body = static_cast<char>(topic.size() + 1) + topic + random.Bytes(random.Below(20));
      break;
    }
    default: {
      const std::string& topic = kTopics[random.Below(kTopics.size())];
      body = static_cast<char>(topic.size() + 1) + topic + random.Bytes(random.Below(40));
    }
  }
  const size_t length = 42 + body.size();
  std::string frame = random.Bytes(42);
  frame[0] = frame[1] = 0;
  frame[2] = static_cast<char>(length >> 8);
  frame[3] = static_cast<char>(length);
  frame[4] = static_cast<char>(type >> 8);
  frame[5] = static_cast<char>(type);
  return frame + body;
}

std::string RandomChunk(Random& random) {
  if (random.Below(10) == 0) return random.Bytes(random.Below(200));
  std::string stream;
  for (size_t frames = random.Below(8); frames > 0; frames--) stream += RandomFrame(random);
  const char edge[] = {0, 1, 0x1f, 0x20, 0x2a, 0x7f, static_cast<char>(0x80), static_cast<char>(0xff)};
  for (size_t n = random.Below(4); n > 0 && !stream.empty(); n--) {
    stream[random.Below(stream.size())] = random.Below(2) ? edge[random.Below(8)] : static_cast<char>(random.Next());
  }
  if (random.Below(3) == 0) stream.resize(random.Below(stream.size() + 1));
  return stream;
}

bool StartsWith(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

// The contract in its plainest form.
std::vector<int32_t> Expected(const std::string& chunk, size_t start, size_t rows_max,
                              const std::map<std::string, int32_t>& ids) {
  std::vector<int32_t> rows(4, 0);
  std::string rest = chunk.substr(start);
  int32_t offset = static_cast<int32_t>(start);
  const auto byte = [&rest](size_t at) { return static_cast<uint32_t>(static_cast<uint8_t>(rest[at])); };
  const auto u32 = [&byte](size_t at) { return byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3); };
  while (rest.size() >= 4) {
    const uint32_t length = u32(0);
    if (length < 42 || length > kFrameBytesMax) {
      rows[0] = length < 42 ? 2 : 3;
      break;
    }
    if (length > rest.size()) {
      rows[3] = static_cast<int32_t>(length);
      break;
    }
    if (static_cast<size_t>(rows[1]) == rows_max) {
      rows[0] = 1;
      break;
    }
    const uint32_t type = byte(4) << 8 | byte(5);
    int32_t topic_id = 0;
    int32_t topic_bytes = 0;
    if (type == 0x30 || type == 0x35) {
      const std::string body = rest.substr(42, length - 42);
      const size_t counted = body.empty() ? 0 : static_cast<uint8_t>(body[0]);
      if (body.empty()) {
        topic_id = -2;
      } else if (counted == 0) {
        topic_id = -3;
      } else if (counted > body.size()) {
        topic_id = -4;
      } else {
        const std::string topic = body.substr(1, counted - 1);
        topic_bytes = static_cast<int32_t>(topic.size());
        bool control = false;
        for (const char c : topic) control |= static_cast<uint8_t>(c) < 0x20 || c == 0x7f;
        const bool reserved = StartsWith(topic, "_block_notify_") || StartsWith(topic, "#!$PushChannel_") ||
                              (type == 0x35 && StartsWith(topic, "#!$VerifyChannel_"));
        const auto found = ids.find(topic);
        topic_id = control ? -5 : reserved ? -6 : found == ids.end() ? -1 : found->second;
      }
    }
    for (const int32_t value : {offset, static_cast<int32_t>(length), static_cast<int32_t>(type),
                                static_cast<int32_t>(u32(38)), topic_id, topic_bytes}) {
      rows.push_back(value);
    }
    rows[1]++;
    rows[2] += static_cast<int32_t>(length);
    offset += static_cast<int32_t>(length);
    rest.erase(0, length);
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::atol(argv[1]) : 200000;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const double seconds_max = argc > 3 ? std::atof(argv[3]) : 20;
  const auto started = std::chrono::steady_clock::now();
  Random random(seed);
  amop::FrameScanner scanner(kFrameBytesMax, amop::HashKey{random.Next(), random.Next()});
  std::map<std::string, int32_t> ids;
  long frames = 0;
  long statuses[4] = {0, 0, 0, 0};
  for (long i = 0; i < iterations; i++) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
    if (elapsed.count() > seconds_max) break;
    if (random.Below(4) == 0) {
      const std::string& topic = kTopics[random.Below(kTopics.size())];
      const uint8_t* bytes = reinterpret_cast<const uint8_t*>(topic.data());
      if (random.Below(3) == 0) {
        if (scanner.topics().Release(bytes, topic.size()) != (ids.erase(topic) == 1)) CHECK(!"release disagrees");
      } else {
        const int32_t id = static_cast<int32_t>(random.Below(1000));
        if (scanner.topics().Intern(bytes, topic.size(), id) != amop::InternStatus::kOk) CHECK(!"intern failed");
        ids[topic] = id;
      }
    }
    const std::string stream = RandomChunk(random);
    const size_t rows_max = 1 + random.Below(6);
    const size_t spare = random.Below(6);
    const size_t start = random.Below(5) == 0 ? random.Below(stream.size() + 1) : 0;
    const std::vector<uint8_t> chunk(stream.begin(), stream.end());
    std::vector<int32_t> rows(4 + rows_max * 6 + spare, 0x5a5a5a5a);
    std::vector<int32_t> expected = Expected(stream, start, rows_max, ids);
    expected.resize(rows.size(), 0x5a5a5a5a);
    const bool ran = scanner.Scan(chunk.data(), chunk.size(), start, rows.data(), rows.size());
    if (!CHECK(ran && rows == expected)) {
      std::fprintf(stderr, "  iteration %ld of seed %llu\n", i, static_cast<unsigned long long>(seed));
      if (amop_test::g_failed >= 5) break;
      continue;
    }
    frames += rows[1];
    statuses[rows[0]]++;
  }
  // A loop that never reaches a status has tested nothing of it.
  CHECK(frames > iterations / 100);
  for (const long count : statuses) CHECK(count > 0);
  return amop_test::FinishTests("native fuzz");
}
