#!/usr/bin/env bash
# Runs the tests that need zero copy to really happen, in each lane that this machine has. A lane that it has
# not is said and skipped; where CI is set, that is a failure: there it has to be.
set -euo pipefail

products=$(swift build --show-bin-path)
tests=("$products/ZeroCopyPackageTests.xctest" --testing-library swift-testing --quiet --filter)

# in_lane FILTER ARGUMENT-OF-LANE…
in_lane() {
  local filter=$1 status=0
  shift
  echo "the tests '$filter' in the lane: $*"
  "$products/zerocopy" lane "$@" -- "${tests[@]}" "$filter" || status=$?
  if ((status == 77)) && [[ -z ${CI:-} ]]; then
    echo "skipped, for the reason above"
  elif ((status != 0)); then
    echo "failed in the lane: $*" >&2
    exit 1
  fi
}

in_lane SinkLaneTests sink
in_lane SinkLaneTests sink --user-namespace
in_lane WireLaneTests wire
in_lane WireLaneTests wire --late qdisc
in_lane WireLaneTests wire --late card
