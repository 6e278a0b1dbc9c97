#!/usr/bin/env bash
# Plants each fault of Tests/Mutants in a copy of the tree, one at a time, and runs the tests that should
# notice. Prints a table, and leaves it in Tests/Mutants/RESULTS.md where all were tried. Fails where a fault
# survives. With names as arguments, only those. A fault that says "Guest: 6.12" is planted where Debian's kernel of that
# series runs the tests in a virtual machine (Scripts/test-kernels.sh), because the host may lack what shows it: vsock.
set -euo pipefail

root=$PWD
copy=$root/.build/mutants/tree
report=$root/.build/mutants/report
mkdir -p "$copy"
# The build stays, files that have gone do not. A file keeps its time, and is not compiled again for this.
rm -rf "$copy"/{Sources,Tests}
git ls-files -z | tar --null --files-from=- --create --file=- | tar --extract --directory="$copy" --file=-
cd "$copy"

build() { swift build --build-tests >"$report" 2>&1; }

# run FILTER: the tests that a mutant names. Ended where a fault makes them wait for ever.
run() {
  timeout --kill-after=10 120 "$(swift build --show-bin-path)/ZeroCopyPackageTests.xctest" \
    --testing-library swift-testing --filter "$1" >"$report" 2>&1
}

# run_in_guest SERIES FILTER: the same in a virtual machine, with the kernels that were downloaded for others.
run_in_guest() {
  mkdir -p .build/guest
  rm -f .build/guest/*.console
  # Linked and not shared: what is made anew in these folders replaces the link.
  cp -al --no-clobber "$root"/.build/guest/linux-image-* .build/guest/ 2>/dev/null || true
  local status=0
  ZEROCOPY_TEST_FILTER=$2 Scripts/test-kernels.sh "$1" >"$report" 2>&1 || status=$?
  cat .build/guest/"$1".*.console >>"$report" || return 0
  return "$status"
}

# try PATCH: runs the tests that it names, where it wants them to run.
try() {
  local guest filter
  guest=$(sed -n 's/^Guest: //p' "$1") filter=$(sed -n 's/^Tests: //p' "$1")
  if [[ -n $guest ]]; then run_in_guest "$guest" "$filter"; else run "$filter"; fi
}

# What first told of the fault.
witness() {
  local test
  test=$(sed -nE 's/^.*Test "?([^"]*)"? recorded an issue.*/\1/p' "$report" | sed -n 1p)
  if [[ -n $test ]]; then
    echo "$test"
  elif (($1 == 124 || $1 == 137)); then
    echo 'the tests wait for ever'
  else
    echo "the tests end with status $1"
  fi
}

if (($# > 0)); then
  mutants=("${@/%/.patch}")
else
  mutants=("$root"/Tests/Mutants/*.patch)
fi
filters=$(for mutant in "${mutants[@]##*/}"; do sed -n 's/^Tests: //p' "$root/Tests/Mutants/$mutant"; done | paste -sd '|')

build || { cat "$report"; echo 'the tree does not build' >&2; exit 1; }
run "$filters" || { cat "$report"; echo 'the tests fail without any fault' >&2; exit 1; }

table=$root/.build/mutants/table.md
{
  echo "Planted at $(git -C "$root" rev-parse --short HEAD), $(date -u +%F), Linux $(uname -r | cut -d. -f1,2)."
  echo
  echo '| fault | noticed by |'
  echo '|---|---|'
} | tee "$table"
survivors=0
for mutant in "${mutants[@]##*/}"; do
  patch=$root/Tests/Mutants/$mutant
  fault=$(sed -n 's/^Fault: \(.*\)\.$/\1/p' "$patch")
  status=0
  if ! patch --strip=0 --quiet --input="$patch" >"$report" 2>&1; then
    verdict='**the fault cannot be planted any more**'
  elif ! build; then
    verdict='**does not build**'
  elif try "$patch"; then
    verdict='**nobody**'
  else
    status=$?
    verdict=$(witness $status)
  fi
  if [[ $verdict == '**'* ]]; then survivors=$((survivors + 1)); fi
  echo "| $fault (\`${mutant%.patch}\`) | $verdict |" | tee -a "$table"
  # Back to the tree as it is; a file that has not changed is not compiled again.
  for file in $(sed -n 's/^+++ //p' "$patch"); do cp "$root/$file" "$file"; rm -f "$file.orig" "$file.rej"; done
done
echo | tee -a "$table"
echo "${#mutants[@]} faults, $survivors survived" | tee -a "$table"
if (($# == 0)); then cp "$table" "$root/Tests/Mutants/RESULTS.md"; fi
((survivors == 0))
