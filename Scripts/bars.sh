#!/usr/bin/env bash
# Measures what the package promises to stay below, and says of each whether it does.
#
#   Scripts/bars.sh [ROW ...]        rows 1 to 6; all unless told
#
# Costs a send are differences: a run with few sends is taken away from one with many, so that what
# starting and stopping costs is in neither. Nothing here is a time, except row 6; so the figures are
# steady on a machine that does other things too.
#
#   ZEROCOPY_TOOL    the `zerocopy` command of rows 4 and 5, built beforehand:
#                    swift build -c release --product zerocopy
#   ZEROCOPY_CHUNK   bytes a send in row 4; unless told, what the command itself chooses for copying
#
# Ends with 1 where a bar was missed.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
tool=${ZEROCOPY_TOOL:-$root/.build/release/zerocopy}
chunk=${ZEROCOPY_CHUNK:-131072}
rows=${*:-1 2 3 4 5 6}

# Zero copy must not be off for a reason of the caller's shell.
unset ZEROCOPY_DISABLE

work=$(mktemp -d)
started=()
clean_up() {
  for pid in ${started[@]+"${started[@]}"}; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

missed=0

wants() { [[ " $rows " == *" $1 "* ]]; }
has() { command -v "$1" >/dev/null; }
calculate() { awk "BEGIN { print $* }"; }

give_up() {
  cat "$1" >&2
  exit 2
}

heading() { printf '%-58s %12s %14s  %s\n' "$1" "${2:-}" "${3:-}" "${4:-}"; }

# bar WHAT FIGURE BAR FORMAT: a row that has to be at or below its bar, as printed.
bar() {
  local verdict=met shown limit
  # The format is ours.
  # shellcheck disable=SC2059
  shown=$(printf "$4" "$2") limit=$(printf "$4" "$3")
  [[ $shown =~ ^-0\.?0*$ ]] && shown=${shown#-}
  if awk "BEGIN { exit !(($shown) > ($limit)) }"; then verdict=MISSED missed=1; fi
  heading "$1" "$shown" "<= $limit" "$verdict"
}
# figure WHAT FIGURE FORMAT: a row without a bar.
figure() {
  # shellcheck disable=SC2059
  heading "$1" "$(printf "$3" "$2")" - ''
}
not_measured() { printf 'not measured: %s\n' "$1"; }

# serve: starts a peer; its port is in $port until `served` has waited for its end.
serve() {
  : >"$work/port"
  "$work/Drain" >"$work/port" &
  peer=$!
  started+=("$peer")
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    port=$(<"$work/port")
    if [[ -n $port ]]; then return; fi
    sleep 0.05
  done
  echo 'bars: the peer does not answer' >&2
  exit 2
}
served() {
  wait "$peer"
  started=()
}

# These run SENDER MODE COUNT SIZE FORM and leave the run's total in $total. Not in a subshell: the
# peer's number has to reach `clean_up`, and a failure has to end the script.
allocations() {
  serve
  LD_PRELOAD=$work/count-allocations.so "$work/$1" "$port" "${@:2}" 2>"$work/allocations" ||
    give_up "$work/allocations"
  served
  total=$(awk '$1 == "allocations" { print $2 }' "$work/allocations")
}
system_calls() {
  serve
  strace -f -qq -c -U calls,name -o "$work/calls" "$work/$1" "$port" "${@:2}"
  served
  total=$(awk '$2 == "total" { print $1 }' "$work/calls")
}
instructions() {
  serve
  valgrind --quiet --tool=callgrind --callgrind-out-file="$work/callgrind" "$work/$1" "$port" "${@:2}" \
    >"$work/said" 2>&1 || give_up "$work/said"
  served
  total=$(awk '$1 == "totals:" { print $2 }' "$work/callgrind")
}

# a_send COUNTING FEW MANY SENDER MODE SIZE FORM: the cost of one send, by difference, in $cost.
a_send() {
  local few
  "$1" "$4" "$5" "$2" "$6" "$7"
  few=$total
  "$1" "$4" "$5" "$3" "$6" "$7"
  cost=$(calculate "(($total) - ($few)) / ($3 - $2)")
}

printf 'building the benchmarks\n' >&2
# By the C compiler alone: SwiftPM would link the Swift runtime into them.
cc -O2 -o "$work/PlainSender" "$root/Benchmarks/Sources/PlainSender/main.c"
cc -O2 -o "$work/Drain" "$root/Benchmarks/Sources/Drain/main.c"
cc -O2 -shared -fPIC -o "$work/count-allocations.so" "$root/Benchmarks/preload/count-allocations.c"
swift build -c release --package-path "$root/Benchmarks" >"$work/said" 2>&1 || give_up "$work/said"
built=$(swift build -c release --package-path "$root/Benchmarks" --show-bin-path)
# Without debug information: older valgrinds give up on what Swift writes there.
strip --strip-debug -o "$work/LibrarySender" "$built/LibrarySender"

heading 'what' 'figure' 'bar' ''
heading '----------------------------------------------------------' '------' '---' ''

if wants 1; then
  for form in single once vectored vectored-all; do
    # 100,000 sends apart: how deep the sends in flight pile up is chance, and so is whether the ledger
    # grows once more in one run than in the other. That is no cost of a send, and must not show.
    a_send allocations 1000 101000 LibrarySender zerocopy 65536 $form
    bar "1 heap allocations a send, 64 KiB zero-copy, $form" "$cost" 0 '%.4f'
  done
fi

if wants 2; then
  if has strace; then
    for mode in zerocopy copy; do
      a_send system_calls 1000 6000 PlainSender $mode 65536 single
      plain=$cost
      a_send system_calls 1000 6000 LibrarySender $mode 65536 single
      figure "2 system calls a send, 64 KiB $mode, plain C" "$plain" '%.4f'
      bar "2 system calls a send, 64 KiB $mode, library" "$cost" 1.1 '%.4f'
    done
  else
    not_measured 'row 2 needs strace (apt-get install strace)'
  fi
fi

if wants 3; then
  if has valgrind; then
    for form in single vectored vectored-all; do
      # C makes no difference between one call and going on until all is accepted.
      a_send instructions 500 2500 PlainSender zerocopy 65536 "${form%-all}"
      plain=$cost
      a_send instructions 500 2500 LibrarySender zerocopy 65536 $form
      figure "3 user-space instructions a send, $form, plain C" "$plain" '%.0f'
      figure "3 user-space instructions a send, $form, library" "$cost" '%.0f'
      bar "3   what the library adds" "$(calculate "($cost) - ($plain)")" 500 '%.0f'
    done
  else
    not_measured 'row 3 needs valgrind (apt-get install valgrind)'
  fi
fi

can_send() { [[ -x $tool ]] && "$tool" send --help >/dev/null 2>&1; }

if wants 4; then
  if ! can_send; then
    not_measured 'row 4 needs the command (swift build -c release --product zerocopy)'
  elif ! has strace; then
    not_measured 'row 4 needs strace (apt-get install strace)'
  else
    # Sparse: it takes no room on the disk, and reading it is reading zeros.
    truncate -s 1G "$work/file"
    serve
    strace -f -qq -c -U calls,name -o "$work/calls" \
      "$tool" send "$work/file" "127.0.0.1:$port" --mode copy --chunk "$chunk" >"$work/said" 2>&1 || give_up "$work/said"
    served
    command=$(awk '$2 == "total" { print $1 }' "$work/calls")
    system_calls PlainSender copy $(((1 << 30) / chunk)) "$chunk" single
    figure "4 system calls for 1 GiB by copying, plain C" "$total" '%d'
    figure "4 system calls for 1 GiB by copying, zerocopy send" "$command" '%d'
    # Of whole runs, with what starting each program costs.
    bar "4   ratio" "$(calculate "$command / $total")" 1.05 '%.3f'
  fi
fi

if wants 5; then
  if ! can_send; then
    not_measured 'row 5 needs the command (swift build -c release --product zerocopy)'
  else
    serve
    # A pipe by name, so that the sender itself is the process that is started and watched.
    mkfifo "$work/input"
    head -c 2G /dev/zero >"$work/input" &
    started+=("$!")
    "$tool" send - "127.0.0.1:$port" <"$work/input" >"$work/said" 2>&1 &
    sender=$!
    started+=("$sender")
    peak=0
    # The peak only grows, so the last look before the end is the one that counts.
    while kill -0 "$sender" 2>/dev/null; do
      now=$(awk '/^VmHWM:/ { print $2 }' "/proc/$sender/status" 2>/dev/null) || true
      if [[ -n $now ]]; then peak=$now; fi
      sleep 0.02
    done
    wait "$sender" || give_up "$work/said"
    served
    bar '5 peak memory of zerocopy send -, 2 GiB of input, MiB' "$(calculate "$peak / 1024")" 64 '%.1f'
  fi
fi

if wants 6; then
  # Fetched beforehand: that would measure the network.
  swift package --package-path "$root" --scratch-path "$work/debug" resolve >"$work/said" 2>&1 ||
    give_up "$work/said"
  begin=$(date +%s%N)
  swift build --package-path "$root" --scratch-path "$work/debug" --target ZeroCopy >"$work/said" 2>&1 ||
    give_up "$work/said"
  end=$(date +%s%N)
  bar '6 clean debug build of the library, seconds' "$(calculate "($end - $begin) / 1e9")" 35 '%.1f'
fi

exit "$missed"
