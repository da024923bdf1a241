// Latency histogram with fixed log-linear buckets: exact below 128 ns, then 128 buckets for each power of two.
// A reported percentile is the upper edge of its bucket, so it is never too small and at most 1/128 (0.8 %) too large.
// Recording is one shift and one increment, whatever the value; nothing is allocated after construction.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace bench {

class Histogram {
 public:
  void record(int64_t value_ns) {
    const uint64_t value = std::min<uint64_t>(static_cast<uint64_t>(std::max<int64_t>(value_ns, 0)), kValueMax);
    counts_[indexOf(value)]++;
    count_++;
    sum_ += value;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  uint64_t count() const { return count_; }
  uint64_t minNs() const { return count_ == 0 ? 0 : min_; }
  uint64_t maxNs() const { return max_; }
  double meanNs() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_); }

  // Smallest bucket edge that at least `fraction` of all values do not exceed; 0 when nothing was recorded.
  uint64_t percentileNs(double fraction) const {
    if (count_ == 0) return 0;
    const auto rank = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
    uint64_t seen = 0;
    for (size_t index = 0; index < counts_.size(); index++) {
      seen += counts_[index];
      if (seen >= rank) return std::min(upperEdge(index), max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr uint64_t kSubCount = uint64_t{1} << kSubBits;
  // 2^40 ns are 18 minutes, longer than any run is allowed to take.
  static constexpr unsigned kValueBits = 40;
  static constexpr uint64_t kValueMax = (uint64_t{1} << kValueBits) - 1;

  static size_t indexOf(uint64_t value) {
    if (value < kSubCount) return static_cast<size_t>(value);
    const unsigned shift = 63u - static_cast<unsigned>(__builtin_clzll(value)) - kSubBits;
    return static_cast<size_t>((uint64_t{shift} + 1) * kSubCount + ((value >> shift) - kSubCount));
  }

  static uint64_t upperEdge(size_t index) {
    if (index < kSubCount) return index;
    const uint64_t shift = index / kSubCount - 1;
    return ((kSubCount + index % kSubCount + 1) << shift) - 1;
  }

  std::array<uint64_t, (kValueBits - kSubBits + 1) * kSubCount> counts_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
};

}  // namespace bench
