// CPU time of this process and of the relays under test.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

namespace bench {

inline int64_t nowNs() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

inline double ownCpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// CPU of all threads of another process, user and system. The kernel's CPU clock of the process counts nanoseconds;
// utime and stime of /proc/<pid>/stat hold the same sum in ticks of 10 ms and give the split into user and system.
class ProcessCpu {
 public:
  struct Sample {
    double total_seconds = 0;
    double user_seconds = 0;
    double system_seconds = 0;

    void operator-=(const Sample& earlier) {
      total_seconds -= earlier.total_seconds;
      user_seconds -= earlier.user_seconds;
      system_seconds -= earlier.system_seconds;
    }
  };

  explicit ProcessCpu(pid_t pid) : pid_(pid) {
    if (clock_getcpuclockid(pid, &clock_) != 0) {
      throw std::runtime_error("--pid " + std::to_string(pid) + ": no such process");
    }
  }

  Sample sample() const {
    Sample sample;
    timespec time{};
    if (clock_gettime(clock_, &time) != 0) {
      throw std::runtime_error("process " + std::to_string(pid_) + " (--pid) ended during the run");
    }
    sample.total_seconds = static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
    readStat(sample);
    return sample;
  }

 private:
  void readStat(Sample& sample) const {
    const std::string path = "/proc/" + std::to_string(pid_) + "/stat";
    FILE* file = std::fopen(path.c_str(), "r");
    if (file == nullptr) return;
    char text[2048];
    const size_t bytes = std::fread(text, 1, sizeof text - 1, file);
    std::fclose(file);
    text[bytes] = 0;
    // The command name may hold spaces and brackets; the fields after its last ')' are numbers.
    const char* fields = std::strrchr(text, ')');
    unsigned long user = 0;
    unsigned long system = 0;
    if (fields == nullptr ||
        std::sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
      return;
    }
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    sample.user_seconds = static_cast<double>(user) / ticks;
    sample.system_seconds = static_cast<double>(system) / ticks;
  }

  pid_t pid_;
  clockid_t clock_ = 0;
};

// CPU seconds that all processors of the machine have spent on anything, time stolen by other virtual machines
// included; ticks of 10 ms. What is left after relay and generator is the work that disturbed the run.
inline double machineBusySeconds() {
  FILE* file = std::fopen("/proc/stat", "r");
  if (file == nullptr) return 0;
  unsigned long long user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  const int fields = std::fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle,
                                 &iowait, &irq, &softirq, &steal);
  std::fclose(file);
  if (fields != 8) return 0;
  return static_cast<double>(user + nice + system + irq + softirq + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace bench
