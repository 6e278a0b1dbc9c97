#!/usr/bin/env bash
# Measures what sending costs in each lane that this machine has, beside a plain C program, and writes a dated
# report: tables, figures as JSON, charts.
#
#   Scripts/bench.sh [LANE|ENDPOINT ...]     sink, loopback and wire unless told; `swift build -c release` beforehand
#
#   ROUNDS           21 unless told
#   BENCH_OPTIONS    more for `zerocopy bench`, --quick for instance
#   RESULTS          the folder to write to, Benchmarks/results/DATE-COMMIT unless told
#   ZEROCOPY_TOOL    the `zerocopy` command
#
# A lane that this machine has not is said and skipped; not where CI is set. A missed bar is in the report.
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
tool=${ZEROCOPY_TOOL:-$root/.build/release/zerocopy}
rounds=${ROUNDS:-21}
targets=("$@")
if ((${#targets[@]} == 0)); then targets=(sink loopback wire); fi

# Zero copy must not be off for a reason of the caller's shell.
unset ZEROCOPY_DISABLE

if [[ ! -x $tool ]]; then
  echo 'bench: the command is missing: swift build -c release --product zerocopy' >&2
  exit 2
fi
commit=$(git -C "$root" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
if [[ -n $(git -C "$root" status --porcelain --untracked-files=no 2>/dev/null) ]]; then commit+='-changed'; fi
results=${RESULTS:-$root/Benchmarks/results/$(date -u +%F)-$commit}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$results"
# By the C compiler alone: SwiftPM would link the Swift runtime into it.
cc -O2 -o "$work/PlainPool" "$root/Benchmarks/Sources/PlainPool/main.c"

{
  printf '# What sending costs, %s\n\n' "$(date -u +%F)"
  printf 'Commit %s, %s.\n' "$commit" "$(swift --version 2>/dev/null | grep -o 'Swift version [0-9.]*' | head -n 1)"
  # shellcheck disable=SC2016
  printf '%s\n' 'Written by `make bench`. Processor time of the sending thread a GiB; everything but copying itself is' \
    'shown beside copying from the memory of the caller. "h.p." is a pool on huge pages, "/best" automatic mode beside' \
    'the better of copying and zero copy from the same memory, "(0-copy)" how many of its sends it made without' \
    'copying, "again" a second subject that is equal to copying. The C program sends from huge pages in turn.'
} >"$work/report"

measured=0
for target in "${targets[@]}"; do
  name=$(tr -c 'a-zA-Z0-9\n' - <<<"$target")
  echo "bench: $target" >&2
  status=0
  # It knows addresses of IPv4, and not another machine's sink.
  floor=()
  case $target in sink | loopback | wire) floor=(--floor "$work/PlainPool") ;; esac
  # shellcheck disable=SC2086
  "$tool" bench "$target" --rounds "$rounds" "${floor[@]}" --save "$results/$name.json" \
    --chart "$results/$name.svg" ${BENCH_OPTIONS:-} >"$work/$name" || status=$?
  if ((status == 77)) && [[ -z ${CI:-} ]]; then
    rm -f "$results/$name.json" "$results/$name.svg"
    printf '\n## %s\n\nThis machine has no such lane.\n' "$target" >>"$work/report"
    continue
  elif ((status != 0)); then
    echo "bench: failed: $target" >&2
    exit 1
  fi
  measured=$((measured + 1))
  # shellcheck disable=SC2016
  {
    printf '\n## %s\n\n![%s](%s.svg)\n\n```\n' "$target" "$target" "$name"
    cat "$work/$name"
    printf '```\n\nAll figures: [%s.json](%s.json)\n' "$name" "$name"
  } >>"$work/report"
  cat "$work/$name"
done
if ((measured == 0)); then
  echo 'bench: nothing could be measured' >&2
  exit 1
fi
cp "$work/report" "$results/README.md"
echo "the report: ${results#"$root/"}/README.md" >&2
