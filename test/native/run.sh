#!/bin/sh
# Builds the tests of native/core with AddressSanitizer and UndefinedBehaviorSanitizer, libsecp256k1 included, warnings of our own
# code as errors, and runs them, a bounded deterministic fuzz loop, and a search for secrets left behind. Needs npm ci before.
# Prints "N passed, N failed" last; exits non-zero when anything failed.
#
#   test/native/run.sh [fuzz iterations] [fuzz seed]
set -u
cd "$(dirname "$0")/../.." || exit 1
out=$(mktemp -d "${TMPDIR:-/tmp}/amop-native-test.XXXXXX") || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 1' HUP INT TERM

# Not quoted below on purpose: CC and CXX may hold arguments ("ccache g++").
cc=${CC:-gcc}
cxx=${CXX:-g++}
library=node_modules/secp256k1-wasm/depend/secp256k1
if [ ! -e "$library/src/secp256k1.c" ]; then
  echo "$library is missing; run npm ci"
  exit 1
fi
common="-g -fno-omit-frame-pointer -pthread"
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror"
sanitized="$common -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"
# As the addon: without lazy binding, which saves registers, and what was last in them, to the stack.
plain="$common -O2 -Wl,-z,now"
frames="native/core/frame_scanner.cc native/core/topic_interner.cc"
signatures="native/core/secp256k1.cc native/core/keccak.cc"
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1

passed=0
failed=0
# build NAME FLAGS SOURCE...: sources and objects to a program.
build() {
  name=$1
  flags=$2
  shift 2
  # shellcheck disable=SC2086
  $cxx -std=c++17 $warnings $flags -isystem "$library" "$@" -o "$out/$name" && return 0
  echo "$name: does not compile"
  failed=$((failed + 1))
  return 1
}
# run NAME [ARGUMENT...]: a program that dies or prints no closing line is one failure.
run() {
  name=$1
  shift
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
# library NAME FLAGS: libsecp256k1 as the addon compiles it, but for FLAGS.
library() {
  # shellcheck disable=SC2086
  $cc -std=gnu99 $2 -isystem "$library" -c native/core/libsecp256k1.c -o "$out/$1.o" && return 0
  echo "libsecp256k1: does not compile"
  exit 1
}

# shellcheck disable=SC2086
{
  library sanitized "$sanitized"
  library plain "$common -O2"
  build core_test "$sanitized" test/native/core_test.cc $frames && run core_test
  build secp256k1_test "$sanitized" test/native/secp256k1_test.cc $signatures "$out/sanitized.o" && run secp256k1_test 1000
  # As the addon is compiled, and so fast enough for many cases; another seed each time.
  build secp256k1_plain "$plain" test/native/secp256k1_test.cc $signatures "$out/plain.o" &&
    run secp256k1_plain 100000 "$(($(date +%s) * 1000 + 1))"
  build wipe_test "$plain" test/native/wipe_test.cc $signatures "$out/plain.o" && run wipe_test
  build scanner_fuzz "$sanitized" test/fuzz/native/scanner_fuzz.cc $frames && run scanner_fuzz "${1:-200000}" "${2:-1}" 20
}

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
