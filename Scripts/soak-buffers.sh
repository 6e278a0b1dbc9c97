#!/usr/bin/env bash
# The soak of pooled buffers: BUFFERS (1,000,000 by default) through one pool of 32 over 8 sockets and 4 threads, and
# ENDS (10,000 by default) sockets that end in the middle, a quarter of them over loopback and each kind of wire.
# SEED (a new one by default). Ends with the first thing found.
set -euo pipefail

buffers=${BUFFERS:-1000000}
ends=${ENDS:-10000}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
products=$(swift build --show-bin-path)

# over ARGUMENT-OF-LANE…: a quarter of the ends in that lane, or in none.
over() {
  local status=0 lane=()
  if (($# > 0)); then lane=("$products/zerocopy" lane "$@" --); fi
  "${lane[@]}" "$products/soak" --abrupt --count $(((ends + 3) / 4)) --jobs 12 --seed "$seed" || status=$?
  if ((status == 77)) && [[ -z ${CI:-} ]]; then
    echo 'skipped, for the reason above'
  elif ((status != 0)); then
    echo "the soak of buffers has failed${*:+ in the lane: $*}" >&2
    exit 1
  fi
}

"$products/soak" --pool --count "$buffers" --seed "$seed"
over
over wire
over wire --late qdisc
over wire --late card
