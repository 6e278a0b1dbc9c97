#!/usr/bin/env bash
# Fuzzes what reads the kernel's answers, from the committed corpora on: FUZZ_SECONDS each (60), from the seed
# FUZZ_SEED (random, printed). Without arguments all targets: control-buffer (C), ledger (Swift).
# What is found lies in .build/fuzz/findings.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
place=$PWD/.build/fuzz
findings=$place/findings
mkdir -p "$findings"

fail() {
  echo "fuzz: $1" >&2
  exit 1
}

# Finds a clang with libFuzzer's runtime: the toolchain's own, or the system's.
find_clang() {
  local candidate
  linker=()
  for candidate in "$(dirname "$(readlink -f "$(command -v swift)")")/clang" "$(command -v clang || true)"; do
    if [[ -x $candidate ]] && echo 'int LLVMFuzzerTestOneInput(const char *b, long n) { return b && n < 0; }' |
      "$candidate" -fsanitize=fuzzer,address -x c - -o "$place/probe" 2>/dev/null; then
      clang=$candidate
      # Not gold, which the toolchain's clang would take: it warns of each symbol of the runtime.
      if [[ -x $(dirname "$clang")/ld.lld ]]; then linker=(-fuse-ld=lld); fi
      return
    fi
  done
  fail 'no clang here has libFuzzer: use the toolchain of swift.org, or Debian: apt-get install clang libclang-rt-dev'
}

build_control_buffer() {
  find_clang
  "$clang" -g -O1 -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    ${linker[@]+"${linker[@]}"} -ISources/CZeroCopy/include -Drecvmmsg=fuzz_recvmmsg -o "$place/control-buffer" \
    Fuzz/control-buffer/target.c Sources/CZeroCopy/notifications.c
}

build_ledger() {
  # SwiftPM would put a main of its own beside libFuzzer's. It builds what the ledger depends on; the ledger,
  # its model and the target are compiled here.
  local flags=(-O -gline-tables-only -parse-as-library -swift-version 6 -package-name ZeroCopy "-sanitize=fuzzer,address")
  swift build -c release --sanitize=address --scratch-path "$place/build" --target DequeModule
  local built
  built=$(swift build -c release --sanitize=address --scratch-path "$place/build" --show-bin-path)
  swiftc "${flags[@]}" -wmo -I "$built/Modules" -module-name ZeroCopy -emit-module \
    -emit-module-path "$place/ZeroCopy.swiftmodule" -c -o "$place/ZeroCopy.o" Sources/ZeroCopy/Ledger/*.swift
  swiftc "${flags[@]}" -wmo -I "$built/Modules" -I "$place" -module-name LedgerFuzz -use-ld=lld \
    -o "$place/ledger" Fuzz/ledger/*.swift Tests/ZeroCopyTests/Ledger/{AccountModel,SimulatedKernel}.swift \
    "$place/ZeroCopy.o" "$built"/{DequeModule,InternalCollectionsUtilities}.build/*.o
}

# fuzz TARGET MAXIMAL_LENGTH
fuzz() {
  local log=$place/$1.log grown=$place/grown/$1
  mkdir -p "$grown"
  # What it writes goes to the first folder: the committed ones stay as they are.
  if ! "$place/$1" -seed="$seed" -max_total_time="$seconds" -max_len="$2" -timeout=10 -print_final_stats=1 \
    -artifact_prefix="$findings/$1-" "$grown" "Fuzz/corpus/$1" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    fail "$1 has a finding (seed $seed): $(sed -n 's/.*Test unit written to //p' "$log"); the whole log: $log"
  fi
  echo "fuzz: $1: $(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\) second.*/\1 runs in \2 s/p' "$log")," \
    "no finding, seed $seed"
}

if (($# == 0)); then set -- control-buffer ledger; fi
for target; do
  case $target in
    control-buffer)
      build_control_buffer
      fuzz control-buffer 2048
      ;;
    ledger)
      build_ledger
      fuzz ledger 1024
      ;;
    *) fail "there is no target '$target': control-buffer, ledger" ;;
  esac
done
