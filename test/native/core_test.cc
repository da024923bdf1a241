// Unit tests of native/core: what the suite over both implementations (test/unit/addon) cannot see from JavaScript,
// and every path once more under the sanitizers.
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "../../native/core/frame_scanner.h"
#include "../../native/core/siphash.h"
#include "../../native/core/topic_interner.h"
#include "check.h"

using amop::FrameScanner;
using amop::HashKey;
using amop::InternStatus;
using amop::TopicInterner;

namespace {

constexpr HashKey kKey{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

const uint8_t* Bytes(const std::string& text) { return reinterpret_cast<const uint8_t*>(text.data()); }

InternStatus Intern(TopicInterner& interner, const std::string& topic, int32_t id) {
  return interner.Intern(Bytes(topic), topic.size(), id);
}
bool Release(TopicInterner& interner, const std::string& topic) { return interner.Release(Bytes(topic), topic.size()); }
int32_t Lookup(const TopicInterner& interner, const std::string& topic) {
  return interner.Lookup(Bytes(topic), topic.size());
}

std::string Frame(uint16_t type, const std::string& body, uint32_t declared = 0) {
  const uint32_t length = declared != 0 ? declared : static_cast<uint32_t>(42 + body.size());
  std::string frame(42, '.');
  for (int i = 0; i < 4; i++) frame[static_cast<size_t>(i)] = static_cast<char>(length >> (24 - 8 * i));
  frame[4] = static_cast<char>(type >> 8);
  frame[5] = static_cast<char>(type);
  frame.replace(38, 4, "\xff\xff\xff\xfe");
  return frame + body;
}

// The chunk in a heap block of exactly its size, so that AddressSanitizer sees one byte read too many.
std::vector<int32_t> Scan(const FrameScanner& scanner, const std::string& stream, size_t rows_max, size_t start = 0) {
  const std::vector<uint8_t> chunk(stream.begin(), stream.end());
  std::vector<int32_t> rows(FrameScanner::kHeadInts + rows_max * FrameScanner::kRowInts, 0x5a5a5a5a);
  CHECK(scanner.Scan(chunk.data(), chunk.size(), start, rows.data(), rows.size()));
  return rows;
}

void HashGivesThePublishedValues() {
  uint8_t bytes[64];
  for (uint8_t i = 0; i < 64; i++) bytes[i] = i;
  // SipHash-2-4, from the authors' reference vectors.
  CHECK((amop::SipHash<2, 4>(kKey, bytes, 0)) == 0x726fdb47dd0e0e31ULL);
  CHECK((amop::SipHash<2, 4>(kKey, bytes, 1)) == 0x74f839c593dc67fdULL);
  CHECK((amop::SipHash<2, 4>(kKey, bytes, 7)) == 0xab0200f58b01d137ULL);
  CHECK((amop::SipHash<2, 4>(kKey, bytes, 8)) == 0x93f5f5799a932462ULL);
  CHECK((amop::SipHash<2, 4>(kKey, bytes, 15)) == 0xa129ca6149be45e5ULL);
  CHECK((amop::SipHash<2, 4>(kKey, bytes, 63)) == 0x958a324ceb064572ULL);
  // SipHash-1-3 of nothing.
  CHECK((amop::SipHash<1, 3>(kKey, bytes, 0)) == 0xabac0158050fc4dcULL);
  CHECK((amop::SipHash<1, 3>(kKey, bytes, 20)) != (amop::SipHash<1, 3>(HashKey{1, 2}, bytes, 20)));
}

void InternerRefusesWhatIsNoTopic() {
  TopicInterner interner(kKey);
  CHECK(Intern(interner, std::string(255, 'x'), 1) == InternStatus::kInvalid);
  CHECK(Intern(interner, "x", -1) == InternStatus::kInvalid);
  CHECK(interner.size() == 0 && interner.capacity() == 0);
  CHECK(Lookup(interner, "x") == -1 && !Release(interner, "x"));
  CHECK(Intern(interner, std::string(254, 'x'), INT32_MAX) == InternStatus::kOk);
  CHECK(Lookup(interner, std::string(254, 'x')) == INT32_MAX);
  CHECK(Lookup(interner, std::string(255, 'x')) == -1);
  CHECK(!Release(interner, std::string(255, 'x')) && !Release(interner, std::string(510, 'x')));
  CHECK(interner.Intern(nullptr, 0, 5) == InternStatus::kOk);
  CHECK(interner.Lookup(nullptr, 0) == 5 && Lookup(interner, "") == 5);
  CHECK(interner.Release(nullptr, 0) && interner.size() == 1);
}

void InternerGrowsAndShrinksWithWhatItHolds() {
  TopicInterner interner(kKey);
  for (int i = 0; i < 10000; i++) CHECK(Intern(interner, "topic." + std::to_string(i), i) == InternStatus::kOk);
  CHECK(interner.size() == 10000 && interner.capacity() >= 20000 && interner.capacity() <= 65536);
  for (int i = 0; i < 10000; i++) CHECK(Lookup(interner, "topic." + std::to_string(i)) == i);
  for (int i = 0; i < 10000; i++) {
    CHECK(Release(interner, "topic." + std::to_string(i)));
    CHECK(i == 9999 || Lookup(interner, "topic.9999") == 9999);
  }
  CHECK(interner.size() == 0 && interner.capacity() == 64);
}

// Random operations against std::map, on few topics so that probe chains are long and deletions fall into them.
void InternerBehavesAsAMap() {
  TopicInterner interner(HashKey{42, 43});
  std::map<std::string, int32_t> model;
  uint64_t state = 88172645463325252ULL;
  for (int step = 0; step < 200000; step++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    // Phases of growth and of emptying.
    const unsigned intern_of_8 = (step / 20000) % 2 == 0 ? 5 : 2;
    const std::string topic = std::to_string(state % 700);
    if (state >> 40 & 1 && Lookup(interner, topic) != (model.count(topic) ? model[topic] : -1)) CHECK(false);
    if ((state >> 32) % 8 < intern_of_8) {
      if (Intern(interner, topic, step) != InternStatus::kOk) CHECK(false);
      model[topic] = step;
    } else if (Release(interner, topic) != (model.erase(topic) == 1)) {
      CHECK(false);
    }
    if (interner.size() != model.size()) CHECK(false);
  }
  for (int i = 0; i < 700; i++) {
    const std::string topic = std::to_string(i);
    CHECK(Lookup(interner, topic) == (model.count(topic) ? model[topic] : -1));
  }
}

void ScannerDescribesFrames() {
  FrameScanner scanner(1000, kKey);
  CHECK(Intern(scanner.topics(), "topicA", 7) == InternStatus::kOk);
  const std::string unicast = Frame(0x30, "\x07topicAhello");
  const std::vector<int32_t> rows = Scan(scanner, unicast + Frame(0x31, "x") + "\x00\x00\x00\x2b", 4);
  const std::vector<int32_t> head(rows.begin(), rows.begin() + 4);
  CHECK((head == std::vector<int32_t>{0, 2, 54 + 43, 0}));
  CHECK((std::vector<int32_t>(rows.begin() + 4, rows.begin() + 10) == std::vector<int32_t>{0, 54, 0x30, -2, 7, 6}));
  CHECK((std::vector<int32_t>(rows.begin() + 10, rows.begin() + 16) == std::vector<int32_t>{54, 43, 0x31, -2, 0, 0}));
  CHECK(rows[16] == 0x5a5a5a5a);
}

void ScannerNamesEveryTopicFault() {
  FrameScanner scanner(1000, kKey);
  const struct {
    uint16_t type;
    std::string body;
    int32_t topic;
  } cases[] = {
      {0x30, "\x02y", -1},
      {0x30, "", -2},
      {0x35, std::string(1, '\0'), -3},
      {0x30, "\x03y", -4},
      {0x35, "\xff", -4},
      {0x30, "\x02\x1f", -5},
      {0x30, "\x0a" "12345678\x7f", -5},
      {0x30, "\x0a" "\x7f" "23456789", -5},
      {0x30, "\x0f_block_notify_", -6},
      {0x35, "\x10#!$PushChannel_", -6},
      {0x35, "\x12#!$VerifyChannel_", -6},
      {0x30, "\x12#!$VerifyChannel_", -1},
  };
  for (const auto& it : cases) {
    const std::vector<int32_t> rows = Scan(scanner, Frame(it.type, it.body), 1);
    CHECK(rows[1] == 1 && rows[8] == it.topic);
  }
}

void ScannerStopsAtBadLengthsAndFullRows() {
  FrameScanner scanner(100, kKey);
  const std::string good = Frame(0x13, "0");
  CHECK(Scan(scanner, good + Frame(0x13, "", 41), 4)[0] == 2);
  CHECK(Scan(scanner, good + Frame(0x13, "", 101), 4)[0] == 3);
  CHECK(Scan(scanner, good + Frame(0x13, "", 0xffffffffU), 4)[0] == 3);
  CHECK(Scan(scanner, good + good, 1)[0] == 1);
  CHECK(Scan(scanner, good, 1)[0] == 0);
  CHECK(Scan(scanner, good + good, 2)[0] == 0);
  CHECK(Scan(scanner, good + good, 1, good.size())[2] == 43);
  const std::vector<int32_t> part = Scan(scanner, good + good.substr(0, 10), 4);
  CHECK(part[0] == 0 && part[1] == 1 && part[3] == 43);
  CHECK(Scan(scanner, good + good.substr(0, 3), 4)[3] == 0);
}

void ScannerRefusesWrongCalls() {
  FrameScanner scanner(100, kKey);
  uint8_t chunk[42] = {0, 0, 0, 42};
  int32_t rows[10] = {9, 9, 9, 9};
  CHECK(!scanner.Scan(chunk, sizeof chunk, 43, rows, 10));
  CHECK(!scanner.Scan(chunk, sizeof chunk, SIZE_MAX, rows, 10));
  CHECK(!scanner.Scan(chunk, sizeof chunk, 0, rows, 9));
  CHECK(!scanner.Scan(chunk, sizeof chunk, 0, nullptr, 0));
  CHECK(!scanner.Scan(chunk, size_t{INT32_MAX} + 1, 0, rows, 10));
  for (int64_t max : {int64_t{41}, int64_t{-1}, int64_t{INT32_MAX} + 1, INT64_MIN}) {
    CHECK(!FrameScanner(max, kKey).Scan(chunk, sizeof chunk, 0, rows, 10));
  }
  CHECK(rows[0] == 9);
  CHECK(scanner.Scan(nullptr, 0, 0, rows, 10) && rows[1] == 0);
  CHECK(scanner.Scan(chunk, sizeof chunk, 0, rows, 10) && rows[1] == 1);
}

// Instances share nothing: each thread its own, as in the workers.
void InstancesShareNothing() {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); t++) {
    threads.emplace_back([t, &wrong] {
      TopicInterner interner(kKey);
      for (int i = 0; i < 2000; i++) Intern(interner, std::to_string(i), i + static_cast<int>(t));
      for (int i = 0; i < 2000; i++) wrong[t] += Lookup(interner, std::to_string(i)) != i + static_cast<int>(t);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int count : wrong) CHECK(count == 0);
}

}  // namespace

int main() {
  HashGivesThePublishedValues();
  InternerRefusesWhatIsNoTopic();
  InternerGrowsAndShrinksWithWhatItHolds();
  InternerBehavesAsAMap();
  ScannerDescribesFrames();
  ScannerNamesEveryTopicFault();
  ScannerStopsAtBadLengthsAndFullRows();
  ScannerRefusesWrongCalls();
  InstancesShareNothing();
  return amop_test::FinishTests("native core");
}
