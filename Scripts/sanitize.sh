#!/usr/bin/env bash
# The whole suite, with the command that it starts, under the sanitizers: `address`, which also looks for
# leaks at the end of every process, and `thread`. Without arguments one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."

# Sanitized code is slow, and what it finds does not need the longest histories.
export ZEROCOPY_TEST_SCALE=${ZEROCOPY_TEST_SCALE:-0.25}
# Any finding ends the process with a code of its own, which the test that started the command sees too.
export ASAN_OPTIONS=detect_leaks=1 TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/Scripts/tsan-suppressions"
# An ordinary user's tests share one small limit of locked memory: one after the other, they keep below it.
order=()
if ((EUID != 0)); then order=(--no-parallel); fi

if (($# == 0)); then set -- address thread; fi
for sanitizer; do
  if [[ $sanitizer != address && $sanitizer != thread ]]; then
    echo "there is no sanitizer '$sanitizer' here: address, thread" >&2
    exit 64
  fi
done

started=$SECONDS
for sanitizer; do
  begin=$SECONDS
  # A place of its own, so that the ordinary build stays as it is. Not gold: it warns of each symbol of the
  # sanitizer's runtime.
  build=(--sanitize="$sanitizer" --scratch-path ".build/sanitize-$sanitizer" -Xswiftc -use-ld=lld)
  swift build --build-tests "${build[@]}"
  built=$SECONDS
  if ! swift test --skip-build --disable-xctest ${order[@]+"${order[@]}"} "${build[@]}"; then
    echo "sanitize: the suite fails under the $sanitizer sanitizer" >&2
    exit 1
  fi
  echo "sanitize: $sanitizer is clean; built in $((built - begin)) s, ran in $((SECONDS - built)) s"
done
echo "sanitize: $((SECONDS - started)) s in all"
