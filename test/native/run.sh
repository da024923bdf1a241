#!/bin/sh
# Builds the tests of native/core with AddressSanitizer and UndefinedBehaviorSanitizer, warnings as errors, runs them and a
# bounded deterministic fuzz loop. Prints "N passed, N failed" last; exits non-zero when anything failed.
#
#   test/native/run.sh [fuzz iterations] [fuzz seed]
set -u
cd "$(dirname "$0")/../.." || exit 1
out=$(mktemp -d "${TMPDIR:-/tmp}/amop-native-test.XXXXXX") || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 1' HUP INT TERM

# Not quoted below on purpose: CXX may hold arguments ("ccache g++").
cxx=${CXX:-g++}
flags="-std=c++17 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -pthread
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror"
core="native/core/frame_scanner.cc native/core/topic_interner.cc"
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1

passed=0
failed=0
# run NAME SOURCE [ARGUMENT...]: a program that does not compile, dies or prints no closing line is one failure.
run() {
  name=$1
  source=$2
  shift 2
  # shellcheck disable=SC2086
  if ! $cxx $flags "$source" $core -o "$out/$name"; then
    echo "$name: does not compile"
    failed=$((failed + 1))
    return
  fi
  "$out/$name" "$@" >"$out/$name.log"
  status=$?
  cat "$out/$name.log"
  counts=$(sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$out/$name.log")
  counts=${counts:-0 0}
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
  if [ "$status" -ne 0 ] && [ "${counts#* }" -eq 0 ]; then
    echo "$name: died with status $status"
    failed=$((failed + 1))
  fi
}

run core_test test/native/core_test.cc
run scanner_fuzz test/fuzz/native/scanner_fuzz.cc "${1:-200000}" "${2:-1}" 20

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
