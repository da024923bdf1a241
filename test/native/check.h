// The few lines a test program needs: CHECK counts, FinishTests prints the closing line and gives the exit code.
#ifndef AMOP_TEST_NATIVE_CHECK_H_
#define AMOP_TEST_NATIVE_CHECK_H_

#include <cstdio>

namespace amop_test {

inline int g_passed = 0;
inline int g_failed = 0;

inline bool Check(bool ok, const char* what, const char* file, int line) {
  if (ok) {
    g_passed++;
  } else {
    g_failed++;
    if (g_failed <= 20) std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
  }
  return ok;
}

inline int FinishTests(const char* name) {
  std::printf("%s: %d passed, %d failed\n", name, g_passed, g_failed);
  // Before the leak check at exit, which may end the process without it.
  std::fflush(stdout);
  return g_failed == 0 ? 0 : 1;
}

}  // namespace amop_test

#define CHECK(condition) amop_test::Check((condition), #condition, __FILE__, __LINE__)

#endif  // AMOP_TEST_NATIVE_CHECK_H_
