#!/usr/bin/env bash
# The soak over loopback and over each kind of wire that this machine has: SECONDS_IN_ALL (300 by default), SEED
# (a new one by default). Ends with the first thing found.
set -euo pipefail

all=${SECONDS_IN_ALL:-300}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
products=$(swift build --show-bin-path)

# over ARGUMENT-OF-LANE…: a quarter of the time in that lane, or in none.
over() {
  local status=0 lane=()
  if (($# > 0)); then lane=("$products/zerocopy" lane "$@" --); fi
  "${lane[@]}" "$products/soak" --seconds $(((all + 3) / 4)) --seed "$seed" || status=$?
  if ((status == 77)) && [[ -z ${CI:-} ]]; then
    echo 'skipped, for the reason above'
  elif ((status != 0)); then
    echo "the soak has failed${*:+ in the lane: $*}" >&2
    exit 1
  fi
}

over
over wire
over wire --late qdisc
over wire --late card
