#!/usr/bin/env bash
# Runs the tests that need zero copy to really happen, in each lane that this machine has.
set -euo pipefail

products=$(swift build --show-bin-path)
source "$(dirname "$0")/in-lane.sh"
tests=("$products/ZeroCopyPackageTests.xctest" --testing-library swift-testing --quiet --filter)

for lane in sink 'sink --user-namespace' wire 'wire --late qdisc' 'wire --late card'; do
  filter=WireLaneTests
  if [[ $lane == sink* ]]; then filter=SinkLaneTests; fi
  echo "the tests '$filter' in the lane: $lane"
  in_lane "$lane" "${tests[@]}" "$filter"
done
