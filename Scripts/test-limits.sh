#!/usr/bin/env bash
# Runs the tests of the kernel's limits as those who meet them: an unprivileged user, and the root of a user
# namespace. (Root itself meets them in the ordinary run, in threads without CAP_IPC_LOCK.)
#
#   Scripts/test-limits.sh           after 'swift build --build-tests'
#
# What cannot be had here is skipped with the reason; with CI=true it is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

# Of the tests in question; locked memory that a user has as a rule.
filter=LimitTests
limit=$((8 << 20))

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

skip() {
  if [[ ${CI:-} == true ]]; then
    echo "test-limits: CI has to run it: $*" >&2
    exit 1
  fi
  echo "test-limits: skipped: $*"
}

# A copy: another user cannot read a build that lies in somebody's home.
bundle=$(swift build --show-bin-path)/ZeroCopyPackageTests.xctest
[[ -e $bundle ]] || { echo "test-limits: no $bundle: run 'swift build --build-tests' first" >&2; exit 1; }
mkdir "$work/lib"
cp "$bundle" "$work/tests"
ldd "$bundle" | awk '$3 ~ /swift/ { print $3 }' | xargs -r cp -L -t "$work/lib"
chmod -R u=rwX,go=rX "$work"

# run WHO COMMAND...: the tests, of which at least one has to have run, by a command before them.
run() {
  local who=$1
  shift
  echo "test-limits: as $who"
  # No libraries of the working directory, and no switches of the caller's.
  if ! (cd / && env -u ZEROCOPY_DISABLE LD_LIBRARY_PATH="$work/lib" prlimit --memlock=$limit: -- "$@" \
    "$work/tests" --testing-library swift-testing --no-parallel --filter "$filter") >"$work/said" 2>&1; then
    cat "$work/said" >&2
    echo "test-limits: failed as $who" >&2
    exit 1
  fi
  grep -q 'Test run with [1-9]' "$work/said" || { echo "test-limits: no tests ran as $who" >&2; exit 1; }
  grep -E 'skipped|Test run with' "$work/said"
}

if [[ $(id -u) == 0 ]]; then
  if command -v setpriv >/dev/null; then
    run 'an unprivileged user' setpriv --reuid=65534 --regid=65534 --clear-groups
  else
    skip 'an unprivileged user: needs setpriv (util-linux)'
  fi
else
  run 'this user'
fi

if ! command -v ip >/dev/null; then
  skip 'root of a user namespace: needs ip (iproute2)'
elif ! unshare --user --map-root-user --net true 2>"$work/why"; then
  skip "root of a user namespace: $(<"$work/why")"
else
  # The script's own arguments are the tests.
  # shellcheck disable=SC2016
  run 'root of a user namespace' unshare --user --map-root-user --net sh -c 'ip link set lo up && exec "$@"' sh
fi
