#include "options.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "frame.h"

namespace bench {

const char* const kUsage =
    "amop-load --port N --cert FILE --key FILE --ca FILE [options]\n"
    "  --host IP             relay (127.0.0.1)\n"
    "  --subscriber-port N   port of the subscribers, where their relay is another one (--port)\n"
    "  --client-type TEXT    clientType of 0x14 (Go-SDK); an empty text sends no 0x14\n"
    "  --topic TEXT          topic (amop-bench)\n"
    "  --publishers N        publisher connections (4)\n"
    "  --subscribers N       subscriber connections (4)\n"
    "  --outstanding N       unicast requests kept outstanding in total (64)\n"
    "  --rate R              open loop: R requests a second, latency from the intended send time (0 = closed loop)\n"
    "  --payload N           payload bytes behind the topic (128)\n"
    "  --warmup S            seconds before the measured phase (1)\n"
    "  --seconds S           measured phase (5)\n"
    "  --drain S             wait for the last answers (12)\n"
    "  --deadline S          hard end of the process (all phases and 30 s)\n"
    "  --seed N              seed of sequences and payloads (1)\n"
    "  --pid N               also measure the CPU of this process, all threads; may be repeated\n"
    "  --expect-strict 0|1   a record that is not exactly one small frame is an error (0)\n"
    "exit codes: 0 all answers right, 1 wrong, lost or doubled answers, 2 usage, 3 no connection or bad TLS,\n"
    "            4 connection lost or run broken, 5 hard deadline\n";

namespace {

double parseNumber(const std::string& name, const char* text, double low, double high) {
  errno = 0;
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != 0 || errno != 0 || !(value >= low && value <= high)) {
    throw UsageError(name + ": expected a number from " + std::to_string(low) + " to " + std::to_string(high) +
                     ", got '" + text + "'");
  }
  return value;
}

uint64_t parseCount(const std::string& name, const char* text, uint64_t low, uint64_t high) {
  errno = 0;
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (end == text || *end != 0 || errno != 0 || text[0] == '-' || value < low || value > high) {
    throw UsageError(name + ": expected a whole number from " + std::to_string(low) + " to " + std::to_string(high) +
                     ", got '" + text + "'");
  }
  return value;
}

}  // namespace

Options parseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 >= argc) throw UsageError(name + ": a value is missing");
    const char* value = argv[i + 1];
    if (name == "--host") options.host = value;
    else if (name == "--port") options.port = static_cast<uint16_t>(parseCount(name, value, 1, 65535));
    else if (name == "--subscriber-port") options.subscriber_port = static_cast<uint16_t>(parseCount(name, value, 1, 65535));
    else if (name == "--cert") options.cert = value;
    else if (name == "--key") options.key = value;
    else if (name == "--ca") options.ca = value;
    else if (name == "--client-type") options.client_type = value;
    else if (name == "--topic") options.topic = value;
    else if (name == "--publishers") options.publishers = parseCount(name, value, 1, 1000);
    else if (name == "--subscribers") options.subscribers = parseCount(name, value, 1, 1000);
    else if (name == "--outstanding") options.outstanding = parseCount(name, value, 1, 65536);
    else if (name == "--rate") options.rate = parseNumber(name, value, 0, 5e6);
    else if (name == "--payload") options.payload_bytes = parseCount(name, value, 0, 64u << 20);
    else if (name == "--warmup") options.warmup_seconds = parseNumber(name, value, 0, 600);
    else if (name == "--seconds") options.seconds = parseNumber(name, value, 0.01, 3600);
    else if (name == "--drain") options.drain_seconds = parseNumber(name, value, 0, 120);
    else if (name == "--deadline") options.deadline_seconds = parseNumber(name, value, 0, 7200);
    else if (name == "--seed") options.seed = parseCount(name, value, 0, UINT64_MAX);
    else if (name == "--pid") options.pids.push_back(static_cast<pid_t>(parseCount(name, value, 1, 1u << 30)));
    else if (name == "--expect-strict") options.expect_strict = parseCount(name, value, 0, 1) == 1;
    else throw UsageError(name + ": unknown option");
  }
  if (options.port == 0) throw UsageError("--port is required");
  if (options.subscriber_port == 0) options.subscriber_port = options.port;
  if (options.cert.empty() || options.key.empty() || options.ca.empty()) {
    throw UsageError("--cert, --key and --ca are required");
  }
  if (options.topic.empty() || options.topic.size() > kTopicBytesMax) {
    throw UsageError("--topic: expected 1 to 254 bytes");
  }
  // The topic and the client type are put into JSON as they are.
  for (const char c : options.topic + options.client_type) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) {
      throw UsageError("--topic, --client-type: no quotes, backslashes or control characters");
    }
  }
  if (options.deadline_seconds == 0) {
    options.deadline_seconds = options.warmup_seconds + options.seconds + options.drain_seconds + 30;
  }
  return options;
}

}  // namespace bench
