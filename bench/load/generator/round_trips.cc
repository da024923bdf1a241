#include "round_trips.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bench {

namespace {

constexpr size_t kScratchBytes = 256 * 1024;
constexpr size_t kEventsMax = 128;
constexpr int64_t kSecondNs = 1000000000;
constexpr int64_t kOpenTimeoutNs = 10 * kSecondNs;
constexpr int64_t kProbeRetryNs = 20000000;
// Finer ticks only cost the generator wake-ups; at most this much is added to an open-loop latency.
constexpr int64_t kTickNsMin = 50000;
constexpr int64_t kTickNsMax = 10000000;
constexpr int64_t kLateNs = 1000000;

int64_t toNs(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

}  // namespace

uint64_t RoundTripResult::errors(bool expect_strict) const {
  uint64_t sum = lost + duplicates + duplicate_deliveries + wrong_bodies + unknown_seqs + unexpected_frames;
  for (const auto& [code, count] : failed_results) sum += count;
  if (checksum_delivered != checksum_answered) sum++;
  if (expect_strict) sum += records.joined + records.split;
  return sum;
}

RoundTrips::RoundTrips(const Options& options)
    : options_(options),
      seq_codec_(options.seed),
      context_(createSslContext(options)),
      relay_cpus_(options.pids.begin(), options.pids.end()),
      scratch_(kScratchBytes),
      slots_(options.outstanding) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (epoll_ < 0 || timer_ < 0) throw ConnectionLost(std::string("epoll or timerfd: ") + std::strerror(errno));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // marks the timer
  epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event);

  payload_.resize(options.payload_bytes);
  uint64_t state = options.seed;
  for (uint8_t& byte : payload_) byte = static_cast<uint8_t>(mix64(state += 0x9e3779b97f4a7c15ull));

  payload_offset_ = kHeaderBytes + 1 + options.topic.size();
  request_.resize(payload_offset_ + options.payload_bytes);
  writeU32(request_.data(), static_cast<uint32_t>(request_.size()));
  writeU16(request_.data() + 4, kRequest);
  request_[kHeaderBytes] = static_cast<uint8_t>(1 + options.topic.size());
  std::memcpy(request_.data() + kHeaderBytes + 1, options.topic.data(), options.topic.size());
  std::copy(payload_.begin(), payload_.end(), request_.begin() + static_cast<ptrdiff_t>(payload_offset_));
  for (size_t slot = options.outstanding; slot > 0; slot--) free_slots_.push_back(slot - 1);
}

RoundTrips::~RoundTrips() {
  if (timer_ >= 0) ::close(timer_);
  if (epoll_ >= 0) ::close(epoll_);
}

RoundTripResult RoundTrips::run() {
  open();
  probe();

  const int64_t start = nowNs();
  startLoad();
  runUntil(start + toNs(options_.warmup_seconds), [] { return false; });

  const double own_before = ownCpuSeconds();
  const double machine_before = machineBusySeconds();
  const std::vector<ProcessCpu::Sample> relays_before = sampleRelays();
  measure_from_ns_ = nowNs();
  const int64_t until = measure_from_ns_ + toNs(options_.seconds);
  if (options_.rate > 0) measure_to_ns_ = until;
  runUntil(until, [] { return false; });
  measure_to_ns_ = nowNs();
  result_.relay_cpus = sampleRelays();
  result_.own_cpu_seconds = ownCpuSeconds() - own_before;
  result_.machine_busy_seconds = machineBusySeconds() - machine_before;
  for (size_t relay = 0; relay < relays_before.size(); relay++) result_.relay_cpus[relay] -= relays_before[relay];
  result_.measured_seconds = static_cast<double>(measure_to_ns_ - measure_from_ns_) / 1e9;

  issuing_ = false;
  armTimer(0);
  runUntil(nowNs() + toNs(options_.drain_seconds), [this] { return answersEverything(); });
  result_.lost = outstanding_;
  for (const auto* group : {&publishers_, &subscribers_}) {
    for (const auto& connection : *group) {
      result_.records.records += connection->counts().records;
      result_.records.frames += connection->counts().frames;
      result_.records.joined += connection->counts().joined;
      result_.records.split += connection->counts().split;
    }
  }
  return result_;
}

// Connects one after the other (a relay limits accepts a second), then 0x14 on all, 0x32 on the subscribers, and a
// heartbeat behind it: its answer shows that everything before it has been read.
void RoundTrips::open() {
  const auto connect = [this](TlsConnection::Role role, size_t count, auto& list) {
    for (size_t index = 0; index < count; index++) {
      list.push_back(std::make_unique<TlsConnection>(context_.get(), options_, role, index));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = list.back().get();
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, list.back()->fd(), &event) != 0) {
        throw ConnectError(std::string("epoll_ctl: ") + std::strerror(errno));
      }
    }
  };
  connect(TlsConnection::Role::kSubscriber, options_.subscribers, subscribers_);
  connect(TlsConnection::Role::kPublisher, options_.publishers, publishers_);
  result_.tls = publishers_.front()->tlsDescription();

  const bool version_1 = options_.client_type.empty();
  for (auto* group : {&subscribers_, &publishers_}) {
    for (auto& connection : *group) {
      if (!version_1) {
        sendControl(*connection, kHandshake,
                    "{\"minimumSupport\":1,\"maximumSupport\":3,\"clientType\":\"" + options_.client_type + "\"}");
      }
      if (connection->role() == TlsConnection::Role::kSubscriber) {
        sendControl(*connection, kSubscribe, "[\"" + options_.topic + "\"]");
      }
      sendControl(*connection, kHeartbeat, version_1 ? "0" : "{\"heartBeat\":0}");
    }
  }
  const auto opened = [this, version_1] {
    for (const auto* group : {&subscribers_, &publishers_}) {
      for (const auto& connection : *group) {
        if (!connection->heartbeat_answered || (!version_1 && !connection->handshake_answered)) return false;
      }
    }
    return true;
  };
  try {
    if (runUntil(nowNs() + kOpenTimeoutNs, opened)) return;
  } catch (const ConnectionLost& error) {
    throw ConnectError(std::string(error.what()) +
                       " right after the TLS handshake: the client certificate was probably refused, see the relay's log");
  }
  throw ConnectError("no answer to 0x14 or 0x13 within 10 s of the TLS handshake");
}

// 0x32 has no answer, and another relay hears of it later, so single requests are sent until the first succeeds; these
// do not count in any figure.
void RoundTrips::probe() {
  probing_ = true;
  const int64_t until = nowNs() + kOpenTimeoutNs;
  while (!probe_succeeded_) {
    issue(0, nowNs());
    const bool answered = runUntil(until, [this] { return answersEverything(); });
    if (probe_succeeded_) break;
    if (!answered || nowNs() > until) {
      std::string seen;
      for (const auto& [code, count] : result_.failed_results) {
        seen += ", " + std::to_string(count) + " answers with " + std::to_string(code);
      }
      throw ConnectError("no request succeeded within 10 s of subscribing" + (seen.empty() ? ", and none was answered" : seen));
    }
    runUntil(nowNs() + kProbeRetryNs, [] { return false; });
  }
  probing_ = false;
  const std::string tls = result_.tls;
  result_ = RoundTripResult{};
  result_.tls = tls;
}

std::vector<ProcessCpu::Sample> RoundTrips::sampleRelays() const {
  std::vector<ProcessCpu::Sample> samples;
  for (const ProcessCpu& relay : relay_cpus_) samples.push_back(relay.sample());
  return samples;
}

void RoundTrips::startLoad() {
  issuing_ = true;
  if (options_.rate > 0) {
    open_start_ns_ = nowNs();
    armTimer(std::clamp(toNs(1 / options_.rate), kTickNsMin, kTickNsMax));
    return;
  }
  const int64_t now = nowNs();
  for (size_t slot = 0; slot < slots_.size(); slot++) issue(slot, now);
}

void RoundTrips::issue(size_t slot_index, int64_t start_ns) {
  Slot& slot = slots_[slot_index];
  slot.generation++;
  slot.start_ns = start_ns;
  slot.outstanding = true;
  slot.delivered = false;
  outstanding_++;
  result_.sent++;
  const uint64_t id = slot.generation << kSlotBits | slot_index;
  seq_codec_.encode(id, request_.data() + kSeqOffset);
  stampPayload(id);
  send(*publishers_[slot_index % publishers_.size()], request_.data(), request_.size());
}

void RoundTrips::issueDue() {
  const int64_t now = nowNs();
  while (issuing_ && !free_slots_.empty()) {
    const int64_t due = open_start_ns_ + static_cast<int64_t>(static_cast<double>(open_next_) * 1e9 / options_.rate);
    if (due > now) return;
    const size_t slot = free_slots_.back();
    free_slots_.pop_back();
    open_next_++;
    if (now - due > kLateNs) result_.sent_late++;
    issue(slot, due);
  }
}

void RoundTrips::onFrame(TlsConnection& connection, const Frame& frame) {
  const bool publisher = connection.role() == TlsConnection::Role::kPublisher;
  switch (frame.type()) {
    case kRequest:
      if (!publisher) return onRequest(connection, frame);
      break;
    case kResponse:
      if (publisher) return onResponse(connection, frame);
      break;
    case kHandshake:
      connection.handshake_answered = true;
      return;
    case kHeartbeat:
      connection.heartbeat_answered = true;
      return;
    default:
      break;
  }
  result_.unexpected_frames++;
}

void RoundTrips::onRequest(TlsConnection& connection, const Frame& frame) {
  uint64_t id = 0;
  if (!seq_codec_.decode(frame.seq(), id)) {
    result_.unknown_seqs++;
    return;
  }
  const size_t slot_index = id & ((uint64_t{1} << kSlotBits) - 1);
  if (slot_index >= slots_.size() || slots_[slot_index].generation != id >> kSlotBits || slots_[slot_index].delivered) {
    result_.duplicate_deliveries++;
  } else {
    slots_[slot_index].delivered = true;
    result_.checksum_delivered += mix64(id);
  }
  response_.assign(frame.data, frame.data + frame.bytes);
  writeU16(response_.data() + 4, kResponse);
  writeU32(response_.data() + 38, 0);
  send(connection, response_.data(), response_.size());
}

void RoundTrips::onResponse(TlsConnection& connection, const Frame& frame) {
  uint64_t id = 0;
  const size_t mask = (uint64_t{1} << kSlotBits) - 1;
  if (!seq_codec_.decode(frame.seq(), id) || (id & mask) >= slots_.size() ||
      id >> kSlotBits > slots_[id & mask].generation ||
      (id & mask) % publishers_.size() != connection.index()) {
    result_.unknown_seqs++;
    return;
  }
  const size_t slot_index = id & mask;
  Slot& slot = slots_[slot_index];
  if (!slot.outstanding || slot.generation != id >> kSlotBits) {
    result_.duplicates++;
    return;
  }
  slot.outstanding = false;
  outstanding_--;
  result_.answered++;
  const int64_t now = nowNs();

  bool right = false;
  if (frame.result() != 0) {
    result_.failed_results[frame.result()]++;
  } else {
    stampPayload(id);
    right = frame.bytes == request_.size() &&
            std::memcmp(frame.body(), request_.data() + kHeaderBytes, request_.size() - kHeaderBytes) == 0;
    if (right) result_.checksum_answered += mix64(id);
    else result_.wrong_bodies++;
  }
  if (probing_) {
    probe_succeeded_ = right;
    return;
  }
  if (right && now >= measure_from_ns_ && now < measure_to_ns_) result_.round_trips++;
  // The closed loop judges by the time of the answer, the open loop by the intended time, so that a request that is
  // answered late, even after the phase, stays in the distribution.
  const int64_t judged = options_.rate > 0 ? slot.start_ns : now;
  if (right && judged >= measure_from_ns_ && judged < measure_to_ns_) result_.latency.record(now - slot.start_ns);

  if (options_.rate > 0) {
    free_slots_.push_back(slot_index);
    issueDue();
  } else if (issuing_) {
    issue(slot_index, nowNs());
  }
}

void RoundTrips::send(TlsConnection& connection, const uint8_t* data, size_t bytes) {
  connection.queueFrame(data, bytes);
  if (!connection.dirty) {
    connection.dirty = true;
    dirty_.push_back(&connection);
  }
}

void RoundTrips::sendControl(TlsConnection& connection, uint16_t type, const std::string& body) {
  // Numbers from the top of the range, which no slot ever uses.
  std::string seq(kSeqBytes, '0');
  seq_codec_.encode(UINT64_MAX - control_seq_++, reinterpret_cast<uint8_t*>(seq.data()));
  const std::vector<uint8_t> frame = encodeFrame(type, seq, body);
  send(connection, frame.data(), frame.size());
}

void RoundTrips::flushDirty() {
  for (TlsConnection* connection : dirty_) {
    connection->dirty = false;
    const bool waits = !connection->flush();
    if (waits == connection->waits_for_writable) continue;
    connection->waits_for_writable = waits;
    epoll_event event{};
    event.events = waits ? static_cast<uint32_t>(EPOLLIN | EPOLLOUT) : static_cast<uint32_t>(EPOLLIN);
    event.data.ptr = connection;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd(), &event);
  }
  dirty_.clear();
}

// Makes the payload of this request in the frame template: the fixed bytes, the first eight mixed with its number.
void RoundTrips::stampPayload(uint64_t id) {
  const uint64_t stamp = mix64(id);
  const size_t bytes = std::min(payload_.size(), sizeof stamp);
  uint8_t* at = request_.data() + payload_offset_;
  for (size_t i = 0; i < bytes; i++) at[i] = static_cast<uint8_t>(payload_[i] ^ (stamp >> (8 * i)));
}

void RoundTrips::armTimer(int64_t interval_ns) {
  itimerspec spec{};
  spec.it_interval.tv_sec = interval_ns / kSecondNs;
  spec.it_interval.tv_nsec = interval_ns % kSecondNs;
  spec.it_value = spec.it_interval;
  timerfd_settime(timer_, 0, &spec, nullptr);
}

template <typename Done>
bool RoundTrips::runUntil(int64_t until_ns, Done done) {
  epoll_event events[kEventsMax];
  for (;;) {
    flushDirty();
    if (done()) return true;
    const int64_t left = until_ns - nowNs();
    if (left <= 0) return false;
    // Rounded up, so that the loop does not spin through the last millisecond.
    const auto timeout_ms = static_cast<int>(std::min<int64_t>((left + 999999) / 1000000, 1000));
    const int count = epoll_wait(epoll_, events, kEventsMax, timeout_ms);
    if (count < 0 && errno != EINTR) throw ConnectionLost(std::string("epoll_wait: ") + std::strerror(errno));
    for (int i = 0; i < count; i++) {
      auto* connection = static_cast<TlsConnection*>(events[i].data.ptr);
      if (connection == nullptr) {
        uint64_t ticks = 0;
        if (::read(timer_, &ticks, sizeof ticks) > 0) issueDue();
        continue;
      }
      if ((events[i].events & EPOLLOUT) != 0 && !connection->dirty) {
        connection->dirty = true;
        dirty_.push_back(connection);
      }
      if ((events[i].events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) connection->receive(scratch_, *this);
    }
  }
}

}  // namespace bench
