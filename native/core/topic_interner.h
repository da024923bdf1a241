// Topic bytes -> small integer. Only what the caller interns is stored, so frames from peers cannot make it grow.
//
// Open addressing with linear probing. Invariants:
//  * capacity is 0 or a power of two, at most half of it is used, so every probe ends at an empty slot;
//  * a topic stands in its home slot (hash & mask) or behind it with no empty slot between: deletion shifts the followers
//    back instead of leaving tombstones, so the table never degrades under churn;
//  * the table shrinks again, so memory follows what is interned now, not the most that ever was.
// Not thread-safe: one instance belongs to one thread.
#ifndef AMOP_NATIVE_CORE_TOPIC_INTERNER_H_
#define AMOP_NATIVE_CORE_TOPIC_INTERNER_H_

#include <cstddef>
#include <cstdint>

#include "siphash.h"

namespace amop {

enum class InternStatus : int32_t {
  kOk = 0,
  // A topic above kTopicBytesMax or a negative id.
  kInvalid = -1,
  kNoMemory = -2,
};

class TopicInterner {
 public:
  // The length byte on the wire counts itself: 255 - 1.
  static constexpr size_t kTopicBytesMax = 254;
  static constexpr int32_t kNone = -1;

  // `key` must be unpredictable for peers: they choose the topics.
  explicit TopicInterner(HashKey key) : key_(key) {}
  ~TopicInterner();
  TopicInterner(const TopicInterner&) = delete;
  TopicInterner& operator=(const TopicInterner&) = delete;

  // Copies the bytes; replaces the id of a topic that is already there. Unless kOk, nothing has changed.
  InternStatus Intern(const uint8_t* topic, size_t bytes, int32_t id);
  // False when the topic was not there.
  bool Release(const uint8_t* topic, size_t bytes);
  // The id or kNone.
  int32_t Lookup(const uint8_t* topic, size_t bytes) const;

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }

 private:
  struct Slot {
    uint64_t hash;
    uint8_t* topic;  // nullptr: empty slot
    int32_t id;
    uint8_t bytes;
  };

  static constexpr size_t kCapacityMin = 64;

  uint64_t Hash(const uint8_t* topic, size_t bytes) const { return SipHash<1, 3>(key_, topic, bytes); }
  // The slot that holds the topic, or the empty one where it would go. Needs capacity_ > 0.
  size_t Find(uint64_t hash, const uint8_t* topic, size_t bytes) const;
  bool Resize(size_t capacity);

  HashKey key_;
  Slot* slots_ = nullptr;
  size_t capacity_ = 0;
  size_t size_ = 0;
};

}  // namespace amop

#endif  // AMOP_NATIVE_CORE_TOPIC_INTERNER_H_
