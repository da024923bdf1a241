#include "topic_interner.h"

#include <cstdlib>
#include <cstring>

namespace amop {

TopicInterner::~TopicInterner() {
  for (size_t i = 0; i < capacity_; i++) std::free(slots_[i].topic);
  std::free(slots_);
}

size_t TopicInterner::Find(uint64_t hash, const uint8_t* topic, size_t bytes) const {
  const size_t mask = capacity_ - 1;
  size_t i = static_cast<size_t>(hash) & mask;
  for (;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.topic == nullptr) return i;
    if (slot.hash == hash && slot.bytes == bytes && (bytes == 0 || std::memcmp(slot.topic, topic, bytes) == 0)) return i;
  }
}

bool TopicInterner::Resize(size_t capacity) {
  // calloc also refuses a capacity whose product overflows.
  Slot* slots = static_cast<Slot*>(std::calloc(capacity, sizeof(Slot)));
  if (slots == nullptr) return false;
  const size_t mask = capacity - 1;
  for (size_t i = 0; i < capacity_; i++) {
    if (slots_[i].topic == nullptr) continue;
    size_t to = static_cast<size_t>(slots_[i].hash) & mask;
    while (slots[to].topic != nullptr) to = (to + 1) & mask;
    slots[to] = slots_[i];
  }
  std::free(slots_);
  slots_ = slots;
  capacity_ = capacity;
  return true;
}

InternStatus TopicInterner::Intern(const uint8_t* topic, size_t bytes, int32_t id) {
  if (bytes > kTopicBytesMax || id < 0) return InternStatus::kInvalid;
  const uint64_t hash = Hash(topic, bytes);
  if (capacity_ != 0) {
    Slot& slot = slots_[Find(hash, topic, bytes)];
    if (slot.topic != nullptr) {
      slot.id = id;
      return InternStatus::kOk;
    }
  }
  // One byte at least: the empty topic is a topic, and a null pointer marks an empty slot.
  uint8_t* copy = static_cast<uint8_t*>(std::malloc(bytes == 0 ? 1 : bytes));
  if (copy == nullptr) return InternStatus::kNoMemory;
  if (bytes != 0) std::memcpy(copy, topic, bytes);
  if ((size_ + 1) * 2 > capacity_ && !Resize(capacity_ == 0 ? kCapacityMin : capacity_ * 2)) {
    std::free(copy);
    return InternStatus::kNoMemory;
  }
  slots_[Find(hash, topic, bytes)] = Slot{hash, copy, id, static_cast<uint8_t>(bytes)};
  size_++;
  return InternStatus::kOk;
}

bool TopicInterner::Release(const uint8_t* topic, size_t bytes) {
  if (size_ == 0 || bytes > kTopicBytesMax) return false;
  size_t hole = Find(Hash(topic, bytes), topic, bytes);
  if (slots_[hole].topic == nullptr) return false;
  std::free(slots_[hole].topic);
  const size_t mask = capacity_ - 1;
  for (size_t next = (hole + 1) & mask; slots_[next].topic != nullptr; next = (next + 1) & mask) {
    // A follower may fill the hole only when its home does not lie behind the hole.
    const size_t home = static_cast<size_t>(slots_[next].hash) & mask;
    if (((next - home) & mask) < ((next - hole) & mask)) continue;
    slots_[hole] = slots_[next];
    hole = next;
  }
  slots_[hole].topic = nullptr;
  size_--;
  // Shrinking is a courtesy: when there is no memory for the smaller table, the larger one stays.
  if (capacity_ > kCapacityMin && size_ * 8 < capacity_) Resize(capacity_ / 2);
  return true;
}

int32_t TopicInterner::Lookup(const uint8_t* topic, size_t bytes) const {
  if (size_ == 0 || bytes > kTopicBytesMax) return kNone;
  const Slot& slot = slots_[Find(Hash(topic, bytes), topic, bytes)];
  return slot.topic == nullptr ? kNone : slot.id;
}

}  // namespace amop
