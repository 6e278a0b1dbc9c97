#!/usr/bin/env bash
# The soak of pooled buffers: BUFFERS (1,000,000 by default) through one pool of 32 over 8 sockets and 4 threads, and
# ENDS (10,000 by default) sockets that end in the middle, a quarter of them over loopback and each kind of wire.
# SEED (a new one by default). Ends with the first thing found.
set -euo pipefail

buffers=${BUFFERS:-1000000}
ends=${ENDS:-10000}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
products=$(swift build --show-bin-path)
source "$(dirname "$0")/in-lane.sh"

"$products/soak" --pool --count "$buffers" --seed "$seed"
for lane in '' wire 'wire --late qdisc' 'wire --late card'; do
  in_lane "$lane" "$products/soak" --abrupt --count $(((ends + 3) / 4)) --jobs 12 --seed "$seed"
done
