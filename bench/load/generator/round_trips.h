// The load: unicast round trips publisher -> relay -> subscriber -> relay -> publisher, each answer checked. Where
// subscribers have a relay of their own, both ways lead through both relays.
//
// A slot holds one outstanding request. Its request's number is (generation << kSlotBits | slot), carried in the seq;
// so an answer names its slot, and it is right exactly when that slot waits for that generation: a second answer to a
// request is recognised for ever, however late it comes.
// Closed loop: `outstanding` slots, each sends its next request when its answer has come.
// Open loop: request k is due at start + k / rate; it takes a free slot as soon as there is one, and its latency counts
// from the due time whether or not it could be sent then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cpu.h"
#include "histogram.h"
#include "options.h"
#include "seq.h"
#include "tls_connection.h"

namespace bench {

struct RoundTripResult {
  double measured_seconds = 0;
  uint64_t round_trips = 0;
  Histogram latency;
  // Requests of the whole run, and what became of them.
  uint64_t sent = 0;
  uint64_t answered = 0;
  uint64_t lost = 0;
  uint64_t duplicates = 0;
  // A request that reached more than one subscriber, or one twice.
  uint64_t duplicate_deliveries = 0;
  uint64_t wrong_bodies = 0;
  uint64_t unknown_seqs = 0;
  uint64_t unexpected_frames = 0;
  std::map<int32_t, uint64_t> failed_results;
  // Sum of the mixed numbers of all requests, as seen by subscribers in requests and by publishers in right answers.
  uint64_t checksum_delivered = 0;
  uint64_t checksum_answered = 0;
  // Open loop: requests sent more than 1 ms after they were due.
  uint64_t sent_late = 0;
  double own_cpu_seconds = 0;
  // In the order of the options.
  std::vector<ProcessCpu::Sample> relay_cpus;
  double machine_busy_seconds = 0;
  RecordCounts records;
  std::string tls;

  uint64_t errors(bool expect_strict) const;
};

class RoundTrips final : public FrameSink {
 public:
  explicit RoundTrips(const Options& options);
  ~RoundTrips() override;

  // Connects, subscribes, warms up, measures, drains. Throws ConnectError or ConnectionLost.
  RoundTripResult run();

  void onFrame(TlsConnection& connection, const Frame& frame) override;

 private:
  struct Slot {
    uint64_t generation = 0;
    int64_t start_ns = 0;
    bool outstanding = false;
    bool delivered = false;
  };

  static constexpr unsigned kSlotBits = 17;

  void open();
  void probe();
  void startLoad();
  void issue(size_t slot, int64_t start_ns);
  void issueDue();
  void onRequest(TlsConnection& connection, const Frame& frame);
  void onResponse(TlsConnection& connection, const Frame& frame);
  void send(TlsConnection& connection, const uint8_t* data, size_t bytes);
  void sendControl(TlsConnection& connection, uint16_t type, const std::string& body);
  void flushDirty();
  void stampPayload(uint64_t id);
  void armTimer(int64_t interval_ns);
  std::vector<ProcessCpu::Sample> sampleRelays() const;
  // Runs the event loop until `until_ns`, or until `done` says so; false when the time was up first.
  template <typename Done>
  bool runUntil(int64_t until_ns, Done done);
  bool answersEverything() const { return outstanding_ == 0; }

  Options options_;
  SeqCodec seq_codec_;
  SslContext context_;
  std::vector<ProcessCpu> relay_cpus_;
  int epoll_ = -1;
  int timer_ = -1;
  std::vector<std::unique_ptr<TlsConnection>> publishers_;
  std::vector<std::unique_ptr<TlsConnection>> subscribers_;
  std::vector<TlsConnection*> dirty_;
  std::vector<uint8_t> scratch_;
  std::vector<uint8_t> request_;
  std::vector<uint8_t> response_;
  std::vector<uint8_t> payload_;
  std::vector<Slot> slots_;
  std::vector<size_t> free_slots_;
  size_t outstanding_ = 0;
  size_t payload_offset_ = 0;
  uint64_t control_seq_ = 0;

  bool issuing_ = false;
  bool probing_ = false;
  bool probe_succeeded_ = false;
  int64_t measure_from_ns_ = INT64_MAX;
  int64_t measure_to_ns_ = INT64_MAX;
  int64_t open_start_ns_ = 0;
  uint64_t open_next_ = 0;

  RoundTripResult result_;
};

}  // namespace bench
