// amop-load: load generator for one relay, or for two that are linked. It speaks the 2.x channel protocol by itself and
// shares no code with the relay, so that neither can hide a fault of the other. One thread; prints one line of JSON.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

#include <openssl/crypto.h>

#include "options.h"
#include "round_trips.h"

namespace {

using bench::Options;
using bench::RoundTripResult;

constexpr int kExitWrong = 1;
constexpr int kExitUsage = 2;
constexpr int kExitConnect = 3;
constexpr int kExitLost = 4;
constexpr int kExitDeadline = 5;

void onDeadline(int) {
  static const char text[] = "amop-load: the hard deadline has passed, giving up\n";
  const ssize_t ignored = ::write(2, text, sizeof text - 1);
  (void)ignored;
  _exit(kExitDeadline);
}

// Whole seconds, rounded up: alarm(2) knows no others.
void armDeadline(double seconds) {
  struct sigaction action {};
  action.sa_handler = onDeadline;
  sigaction(SIGALRM, &action, nullptr);
  alarm(static_cast<unsigned>(seconds) + 1);
}

double microseconds(uint64_t ns) { return static_cast<double>(ns) / 1000.0; }

void printResult(const Options& options, const RoundTripResult& result) {
  std::string failed;
  for (const auto& [code, count] : result.failed_results) {
    failed += (failed.empty() ? "\"" : ",\"") + std::to_string(code) + "\":" + std::to_string(count);
  }
  const double rate = static_cast<double>(result.round_trips) / result.measured_seconds;
  std::printf(
      "{\"loop\":\"%s\",\"clientType\":\"%s\",\"tls\":\"%s\",\"openssl\":\"%s\",\"publishers\":%zu,\"subscribers\":%zu,"
      "\"outstanding\":%zu,\"offeredPerSecond\":%.1f,\"payloadBytes\":%zu,\"frameBytes\":%zu,\"seed\":%llu,",
      options.rate > 0 ? "open" : "closed", options.client_type.c_str(), result.tls.c_str(),
      OpenSSL_version(OPENSSL_VERSION_STRING), options.publishers, options.subscribers, options.outstanding, options.rate,
      options.payload_bytes, bench::kHeaderBytes + 1 + options.topic.size() + options.payload_bytes,
      static_cast<unsigned long long>(options.seed));
  std::printf("\"measuredSeconds\":%.6f,\"roundTrips\":%llu,\"roundTripsPerSecond\":%.1f,", result.measured_seconds,
              static_cast<unsigned long long>(result.round_trips), rate);
  std::printf(
      "\"latencyUs\":{\"count\":%llu,\"min\":%.1f,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99_9\":%.1f,"
      "\"max\":%.1f},",
      static_cast<unsigned long long>(result.latency.count()), microseconds(result.latency.minNs()),
      result.latency.meanNs() / 1000.0, microseconds(result.latency.percentileNs(0.5)),
      microseconds(result.latency.percentileNs(0.9)), microseconds(result.latency.percentileNs(0.99)),
      microseconds(result.latency.percentileNs(0.999)), microseconds(result.latency.maxNs()));
  std::printf(
      "\"sent\":%llu,\"answered\":%llu,\"errors\":%llu,\"lost\":%llu,\"duplicates\":%llu,\"duplicateDeliveries\":%llu,"
      "\"wrongBodies\":%llu,\"unknownSeqs\":%llu,\"unexpectedFrames\":%llu,\"failedResults\":{%s},\"sentLate\":%llu,",
      static_cast<unsigned long long>(result.sent), static_cast<unsigned long long>(result.answered),
      static_cast<unsigned long long>(result.errors(options.expect_strict)),
      static_cast<unsigned long long>(result.lost), static_cast<unsigned long long>(result.duplicates),
      static_cast<unsigned long long>(result.duplicate_deliveries),
      static_cast<unsigned long long>(result.wrong_bodies), static_cast<unsigned long long>(result.unknown_seqs),
      static_cast<unsigned long long>(result.unexpected_frames), failed.c_str(),
      static_cast<unsigned long long>(result.sent_late));
  std::printf(
      "\"records\":{\"received\":%llu,\"frames\":%llu,\"joined\":%llu,\"split\":%llu},\"checksum\":\"%016llx\","
      "\"checksumDelivered\":\"%016llx\",",
      static_cast<unsigned long long>(result.records.records), static_cast<unsigned long long>(result.records.frames),
      static_cast<unsigned long long>(result.records.joined), static_cast<unsigned long long>(result.records.split),
      static_cast<unsigned long long>(result.checksum_answered),
      static_cast<unsigned long long>(result.checksum_delivered));
  std::printf("\"generatorCpuSeconds\":%.6f,\"generatorCoreShare\":%.4f,\"machineBusySeconds\":%.2f",
              result.own_cpu_seconds, result.own_cpu_seconds / result.measured_seconds, result.machine_busy_seconds);
  const char* separator = ",\"relays\":[";
  for (const auto& cpu : result.relay_cpus) {
    std::printf("%s{\"cpuSeconds\":%.6f,\"userSeconds\":%.2f,\"systemSeconds\":%.2f}", separator, cpu.total_seconds,
                cpu.user_seconds, cpu.system_seconds);
    separator = ",";
  }
  std::printf("%s}\n", result.relay_cpus.empty() ? "" : "]");
}

int fail(int code, const std::string& message) {
  std::fprintf(stderr, "amop-load: %s\n", message.c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  try {
    const Options options = bench::parseOptions(argc, argv);
    armDeadline(options.deadline_seconds);
    const RoundTripResult result = bench::RoundTrips(options).run();
    printResult(options, result);
    return result.errors(options.expect_strict) == 0 ? 0 : kExitWrong;
  } catch (const bench::UsageError& error) {
    return fail(kExitUsage, std::string(error.what()) + "\n" + bench::kUsage);
  } catch (const bench::ConnectError& error) {
    return fail(kExitConnect, error.what());
  } catch (const bench::ConnectionLost& error) {
    return fail(kExitLost, error.what());
  } catch (const std::exception& error) {
    return fail(kExitLost, error.what());
  }
}
