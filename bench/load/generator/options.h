// Command line of the generator. Every option is `--name value`; unknown names and bad values end with exit code 2.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  // Port of the subscribers' relay; that of the publishers unless it is given.
  uint16_t subscriber_port = 0;
  std::string cert;
  std::string key;
  std::string ca;
  // Empty: no 0x14 is sent and the session stays on channel protocol 1.
  std::string client_type = "Go-SDK";
  std::string topic = "amop-bench";
  size_t publishers = 4;
  size_t subscribers = 4;
  // Closed loop: requests kept outstanding. Open loop: the most that may be outstanding.
  size_t outstanding = 64;
  // Requests a second of the open loop; 0 selects the closed loop.
  double rate = 0;
  size_t payload_bytes = 128;
  double warmup_seconds = 1;
  double seconds = 5;
  double drain_seconds = 12;
  // Ends the process whatever it waits for; 0 = the phases' own bounds and 30 s.
  double deadline_seconds = 0;
  uint64_t seed = 1;
  // Processes whose CPU time is sampled over the measured phase.
  std::vector<pid_t> pids;
  // Treat a record with bytes of two frames, or a small frame in several records, as an error.
  bool expect_strict = false;
};

extern const char* const kUsage;

// Throws UsageError.
Options parseOptions(int argc, char** argv);

}  // namespace bench
