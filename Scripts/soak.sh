#!/usr/bin/env bash
# The soak over loopback and over each kind of wire that this machine has: SECONDS_IN_ALL (300 by default), SEED
# (a new one by default). Ends with the first thing found.
set -euo pipefail

all=${SECONDS_IN_ALL:-300}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
products=$(swift build --show-bin-path)
source "$(dirname "$0")/in-lane.sh"

for lane in '' wire 'wire --late qdisc' 'wire --late card'; do
  in_lane "$lane" "$products/soak" --seconds $(((all + 3) / 4)) --seed "$seed"
done
