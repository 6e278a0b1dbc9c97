# To be sourced, after `products` was set to where the built products are.

# in_lane "ARGUMENTS OF LANE" COMMAND…: runs a command in that lane, or outside of any where there are no arguments.
# A lane that this machine has not is said and skipped; where CI is set, that is a failure: there it has to be.
in_lane() {
  local arguments=$1 status=0 lane=()
  shift
  # Several words.
  # shellcheck disable=SC2206
  if [[ -n $arguments ]]; then lane=("$products/zerocopy" lane $arguments --); fi
  "${lane[@]}" "$@" || status=$?
  if ((status == 77)) && [[ -z ${CI:-} ]]; then
    echo 'skipped, for the reason above'
  elif ((status != 0)); then
    echo "failed${arguments:+ in the lane: $arguments}" >&2
    exit 1
  fi
}
