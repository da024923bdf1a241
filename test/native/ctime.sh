#!/bin/sh
# Constant-time check of everything that handles private keys, under valgrind: libsecp256k1's own test as the npm package ships
# it (valgrind_ctime_test.c), then ours of native/core, and last a branch on a secret, which must be found. All of it is compiled
# with the flags of the addon's build, read from what node-gyp wrote; CC and CXX choose compilers as they do there.
# Needs valgrind with its headers. Exits non-zero when a branch or an address depends on a secret.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=$(mktemp -d "${TMPDIR:-/tmp}/amop-ctime.XXXXXX") || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 1' HUP INT TERM

# Not quoted below on purpose: CC and CXX may hold arguments ("ccache g++").
cc=${CC:-gcc}
cxx=${CXX:-g++}
library=node_modules/secp256k1-wasm/depend/secp256k1
makefile=build/amop_native.target.mk
if ! command -v valgrind >/dev/null || [ ! -e /usr/include/valgrind/memcheck.h ]; then
  echo "valgrind or its headers are missing; on Debian: apt-get install valgrind"
  exit 1
fi
node scripts/build-native.mjs || exit 1

# flags VARIABLE...: their values in the makefile of the addon.
flags() {
  printf 'include %s\nflags:\n\t@echo' "$makefile" >"$out/flags.mk"
  for variable; do printf ' $(%s)' "$variable" >>"$out/flags.mk"; done
  printf '\n' >>"$out/flags.mk"
  make -s -f "$out/flags.mk" flags
}
c_flags=$(flags CFLAGS_Release CFLAGS_C_Release)
cc_flags=$(flags CFLAGS_Release CFLAGS_CC_Release)
for found in "$c_flags" "$cc_flags"; do
  case $found in
    *-O*) ;;
    *)
      echo "$makefile holds no compile flags; node-gyp has changed its form"
      exit 1
      ;;
  esac
done
echo "$cc $c_flags"
echo "$cxx $cc_flags"

# shellcheck disable=SC2086
{
  $cc $c_flags -DVALGRIND -I"$library" -c native/core/libsecp256k1.c -o "$out/library.o" &&
    $cc $c_flags -DVALGRIND -DENABLE_MODULE_RECOVERY -w -I"$library/src" "$library/src/valgrind_ctime_test.c" \
      "$out/library.o" -o "$out/library_test" &&
    $cxx $cc_flags -DVALGRIND -isystem "$library" test/native/ctime_test.cc native/core/secp256k1.cc "$out/library.o" \
      -o "$out/core_test"
} || exit 1

# check NAME PROGRAM [ARGUMENT]: 42 is valgrind's word for a report, anything else but 0 the program's own failure.
failed=0
check() {
  name=$1
  shift
  valgrind -q --error-exitcode=42 "$@" >"$out/log" 2>&1
  status=$?
  if [ "$status" -eq "$expected" ]; then
    echo "ok      $name"
  else
    cat "$out/log"
    echo "FAILED  $name: exit code $status instead of $expected"
    failed=$((failed + 1))
  fi
}
expected=0
check "libsecp256k1's own constant-time test" "$out/library_test"
check 'native/core' "$out/core_test"
expected=42
check 'a branch on a secret is found' "$out/core_test" branch
[ "$failed" -eq 0 ]
