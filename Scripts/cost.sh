#!/usr/bin/env bash
# Measures what sending the buffers of a pool costs, beside copying from the same memory and beside plain C, where
# zero copy really happens: the sender's processor time a GiB, and what a send takes besides.
#
#   Scripts/cost.sh [sink|segments|wire|calls ...]    all unless told
#
# Subjects take turns within one run; what is shown are medians, and one subject that ran twice: their difference
# is what a difference may be by chance. Ratios are to copying by the same program from the same kind of pages.
#
#   ROUNDS           21 unless told
#   ZEROCOPY_TOOL    the `zerocopy` command, built beforehand: swift build -c release --product zerocopy
#
# Ends with 1 where a bar was missed. A lane that this machine has not is said and skipped; not where CI is set.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
tool=${ZEROCOPY_TOOL:-$root/.build/release/zerocopy}
rounds=${ROUNDS:-21}

# Zero copy must not be off for a reason of the caller's shell.
unset ZEROCOPY_DISABLE

# PROGRAM MODE PAGES
subjects=(
  'PoolSender copy huge' 'PoolSender zerocopy huge' 'PoolSender copy standard' 'PoolSender zerocopy standard'
  'PlainPool copy huge' 'PlainPool zerocopy huge' 'PlainPool copy standard' 'PlainPool zerocopy standard'
  'PoolSender zerocopy huge again'
)

# send_PART PROGRAM MODE PAGES: a GiB out of 64 MiB, and its cost on standard output.
# Called by name.
# shellcheck disable=SC2317
send_sink() {
  taskset -c 0 "$work/$1" udp:10.77.0.2:9 "$2" "$3" 16519 65000 1024
}
# 64,400 bytes are 46 segments of 1,400.
# shellcheck disable=SC2317
send_segments() {
  taskset -c 0 "$work/$1" udp:10.77.0.2:9 "$2" "$3" 16673 64400 1024 1400
}
# shellcheck disable=SC2317
send_wire() {
  : >"$work/port"
  # The card is on the last processor, too.
  nsenter --net="$ZEROCOPY_LANE_PEER_NETWORK" taskset -c "$(($(getconf _NPROCESSORS_ONLN) - 1))" \
    "$work/Drain" 60 10.77.0.2 >"$work/port" &
  local peer=$! tries
  for ((tries = 0; tries < 200; tries++)); do
    if [[ -s $work/port ]]; then break; fi
    sleep 0.01
  done
  taskset -c 0 "$work/$1" "10.77.0.2:$(<"$work/port")" "$2" "$3" 256 4194304 16
  wait "$peer"
}

# In a lane: all rounds of a part, a line for each cost.
if [[ ${1:-} == --inside ]]; then
  part=$2 work=$3
  for ((round = 0; round < rounds; round++)); do
    for ((turn = 0; turn < ${#subjects[@]}; turn++)); do
      # Each round begins with another one: who follows whom must not matter.
      at=$(((round + turn) % ${#subjects[@]}))
      # shellcheck disable=SC2086
      cost=$("send_$part" ${subjects[at]})
      printf '%s\t%s\n' "${subjects[at]}" "$cost"
    done
  done
  exit
fi

parts=${*:-sink segments wire calls}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
missed=0

wants() { [[ " $parts " == *" $1 "* ]]; }
has() { command -v "$1" >/dev/null; }
calculate() { awk "BEGIN { printf \"%.4f\", $* }"; }
is() { awk "BEGIN { exit !($*) }"; }
give_up() {
  cat "$1" >&2
  exit 2
}

# in_lane KIND COMMAND…: 1 where there is no such lane.
in_lane() {
  local status=0
  "$tool" lane "$1" -- "${@:2}" || status=$?
  if ((status == 0)); then return 0; fi
  if ((status == 77)) && [[ -z ${CI:-} ]]; then
    echo "not measured, for the reason above: $1" >&2
    return 1
  fi
  echo "cost: failed in the lane $1" >&2
  exit 2
}

# median SUBJECT
median() {
  awk -F'\t' -v subject="$1" '$1 == subject { print $2 }' "$work/costs" | sort -g |
    awk '{ all[NR] = $1 } END { print (all[int((NR + 1) / 2)] + all[int((NR + 2) / 2)]) / 2 }'
}
row() { printf '%-50s %12s %12s %12s  %s\n' "$@"; }

# costs PART LANE WHAT: measures a part in its lane, and prints its table; the figures stay in $of.
declare -A of
costs() {
  in_lane "$2" "$0" --inside "$1" "$work" >"$work/costs" || return 1
  printf '\n%s; medians of %s rounds\n' "$3" "$rounds"
  row 'subject' 'CPU s a GiB' 'of copying' 'of plain C' ''
  local subject program mode pages rest ratio beside
  for subject in "${subjects[@]}"; do of[$subject]=$(median "$subject"); done
  for subject in "${subjects[@]}"; do
    read -r program mode pages rest <<<"$subject"
    ratio=$(calculate "${of[$subject]} / ${of["$program copy $pages"]}")
    beside=$(calculate "${of[$subject]} / ${of["PlainPool $mode $pages"]}")
    row "$([[ $program == PoolSender ]] && echo library || echo 'plain C'), $mode, $pages pages${rest:+, $rest}" \
      "$(printf '%.4f' "${of[$subject]}")" "$(printf '%.3f' "$ratio")" "$(printf '%.3f' "$beside")" ''
  done
  row 'spread of two equal subjects' \
    "$(awk "BEGIN { d = ${of[PoolSender zerocopy huge again]} / ${of[PoolSender zerocopy huge]} - 1;
            printf \"%.1f %%\", 100 * (d < 0 ? -d : d) }")" '' '' ''
}

# ratio PAGES: of the library to its own copying; beside PAGES: to plain C.
ratio() { calculate "${of["PoolSender zerocopy $1"]} / ${of["PoolSender copy $1"]}"; }
beside() { calculate "${of["PoolSender zerocopy $1"]} / ${of["PlainPool zerocopy $1"]}"; }

# bar WHAT FIGURE BAR [IS-MET-ALL-THE-SAME]
bar() {
  local verdict=met
  if is "$2 > $3"; then
    if [[ -n ${4:-} ]]; then verdict="met: $4"; else verdict=MISSED missed=1; fi
  fi
  row "$1" "$2" "<= $3" '' "$verdict"
}

if [[ ! -x $tool ]]; then
  echo 'cost: the command is missing: swift build -c release --product zerocopy' >&2
  exit 2
fi
printf 'building the benchmarks\n' >&2
# By the C compiler alone: SwiftPM would link the Swift runtime into them.
for program in PlainPool Drain; do
  cc -O2 -o "$work/$program" "$root/Benchmarks/Sources/$program/main.c"
done
cc -O2 -shared -fPIC -o "$work/count-allocations.so" "$root/Benchmarks/preload/count-allocations.c"
swift build -c release --package-path "$root/Benchmarks" >"$work/said" 2>&1 || give_up "$work/said"
built=$(swift build -c release --package-path "$root/Benchmarks" --show-bin-path)
cp "$built/PoolSender" "$work/PoolSender"

if wants sink && costs sink sink 'sink: UDP, 65,000 bytes a send, over 64 MiB'; then
  bar 'pool with huge pages, of copying' "$(ratio huge)" 0.36
  bar 'pool with standard pages, of copying' "$(ratio standard)" 0.46
fi

if wants segments &&
  costs segments sink 'sink: UDP, 64,400 bytes a send in segments of 1,400, over 64 MiB'; then
  bar 'pool with huge pages, of copying' "$(ratio huge)" 0.38
  bar 'pool with standard pages, of copying' "$(ratio standard)" 0.46
fi

if wants wire && costs wire wire 'wire: TCP, 4 MiB a send, over 64 MiB'; then
  also=
  if is "$(beside huge) <= 1.05"; then also="$(beside huge) of plain C, <= 1.05"; fi
  bar 'pool with huge pages, of copying' "$(ratio huge)" 0.75 "$also"
fi

# a_send COMMAND…: what COMMAND counts for one send of a pool of 32 on the sink, by difference of two runs, so that
# what starting and stopping costs is not in it. It prints its count as the last word of standard error's last line.
a_send() {
  local counts=() sends
  # 100,000 sends apart, as in bars.sh.
  for sends in 1000 101000; do
    in_lane sink "$@" "$work/PoolSender" udp:10.77.0.2:9 zerocopy huge "$sends" 65000 32 \
      >/dev/null 2>"$work/counted" || return 1
    counts+=("$(awk 'END { print $NF }' "$work/counted")")
  done
  cost=$(calculate "(${counts[1]} - ${counts[0]}) / 100000")
}

if wants calls; then
  printf '\nsink: sends of a pool of 32\n'
  row 'what' 'a send' 'bar' '' ''
  if a_send env LD_PRELOAD="$work/count-allocations.so"; then bar 'heap allocations' "$cost" 0; fi
  if ! has strace; then
    echo 'not measured: system calls need strace (apt-get install strace)'
  elif a_send strace -f -qq -c -U name,calls; then
    bar 'system calls' "$cost" 1.1
  fi
fi

exit "$missed"
