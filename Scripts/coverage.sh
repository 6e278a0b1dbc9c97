#!/usr/bin/env bash
# Runs the suite, with the command that it starts, and tells which lines of the library it has executed, Swift
# and C together: a table, the lines that nobody has reached, and the percentage, which comes last.
set -euo pipefail
cd "$(dirname "$0")/.."

place=.build/coverage
profiles=$PWD/$place/profiles

# The toolchain's own: another version's profiles cannot be read.
toolchain=$(dirname "$(readlink -f "$(command -v swift)")")
tool() { if [[ -x $toolchain/$1 ]]; then echo "$toolchain/$1"; else command -v "$1"; fi; }
if ! { profdata=$(tool llvm-profdata) && cov=$(tool llvm-cov); }; then
  echo 'coverage: there are no llvm-cov and llvm-profdata beside swift; install the whole toolchain' >&2
  exit 1
fi
order=()
if ((EUID != 0)); then order=(--no-parallel); fi

# SwiftPM's own option is for Swift alone.
build=(--enable-code-coverage -Xcc -fprofile-instr-generate -Xcc -fcoverage-mapping --scratch-path "$place")
swift build --build-tests "${build[@]}"
built=$(swift build "${build[@]}" --show-bin-path)

# A profile for each process: the tests, and every command that they start. Not swift test's own gathering,
# which takes only the tests' in.
rm -rf "$profiles"
mkdir -p "$profiles"
failed=0
LLVM_PROFILE_FILE="$profiles/%p.profraw" \
  swift test --skip-build --disable-xctest ${order[@]+"${order[@]}"} --scratch-path "$place" || failed=1

# A process that was killed leaves half a profile, or none: it is passed over.
"$profdata" merge --sparse --failure-mode=all -o "$place/all.profdata" "$profiles"
"$cov" export -format=lcov -instr-profile="$place/all.profdata" \
  "$built/ZeroCopyPackageTests.xctest" -object "$built/zerocopy" \
  Sources/CZeroCopy Sources/ZeroCopy >"$place/all.lcov"
rm -rf "$profiles"

awk -v root="$PWD/" '
  function flush_range() {
    if (from) missed = missed sprintf("%s:%s\n", file, from == to ? from : from "-" to)
    from = 0
  }
  BEGIN { printf "%-62s %6s %6s %8s\n", "file", "lines", "missed", "covered" }
  /^SF:/ {
    file = substr($0, 4)
    delete text
    for (n = 1; (getline line < file) > 0; n++) text[n] = line
    close(file)
    sub(root, "", file)
    lines = hit = 0
  }
  /^DA:/ {
    split(substr($0, 4), part, ",")
    # Nothing happens in a line that is only a brace, or the preprocessor has for itself.
    if (text[part[1]] ~ /^[ \t]*([})\]]*|#.*)[ \t]*$/) next
    lines++
    if (part[2] > 0) { hit++; flush_range() }
    else { if (!from) from = part[1]; to = part[1] }
  }
  /^end_of_record/ {
    flush_range()
    if (!lines) next
    printf "%-62s %6d %6d %7.1f%%\n", file, lines, lines - hit, 100 * hit / lines
    all += lines
    reached += hit
  }
  END {
    printf "\nlines that were not executed:\n%s\n", missed
    printf "%d of %d lines of CZeroCopy and ZeroCopy: %.2f%%\n", reached, all, 100 * reached / all
    if (reached < 0.95 * all) { print "coverage: less than 95%" > "/dev/stderr"; exit 1 }
  }' "$place/all.lcov"
if ((failed)); then
  echo 'coverage: tests failed, see above' >&2
  exit 1
fi
