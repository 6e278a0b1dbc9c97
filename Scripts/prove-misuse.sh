#!/usr/bin/env bash
# Proves that misuse does not compile: each file of Tests/Misuse, against the built module, as in a package that
# links it. With MISUSE defined the compiler must find exactly the errors that the file's comments `// error: …`
# say, in the line below each; without it, nothing at all, not even a warning.
#
#   Scripts/prove-misuse.sh [FILE ...]      all of Tests/Misuse unless told
#
# Needs: swift build
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
products=$(swift build --package-path "$root" --show-bin-path)
if (($# > 0)); then files=("$@"); else files=("$root"/Tests/Misuse/*.swift); fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The errors of ownership, lifetimes and data races are found in SIL, after types are checked.
compile() {
  swiftc -emit-sil -wmo -o /dev/null -swift-version 6 -strict-memory-safety -warnings-as-errors \
    -diagnostic-style llvm -module-cache-path "$work/modules" -I "$products/Modules" \
    -I "$root/Sources/CZeroCopy/include" -I "$root/.build/checkouts/swift-system/Sources/CSystem/include" "$@"
}

# prove FILE: prints what is wrong, if anything is.
prove() {
  local expected found
  expected=$(sed -n '/\/\/ error: /{=;s/.*\/\/ error: //p}' "$1" | paste -d ' ' - - |
    awk '{ $1++; print }')
  compile -D MISUSE "$1" >"$work/${1##*/}" 2>&1 || true
  found=$(sed -nE 's/^[^ ].*\.swift:([0-9]+):[0-9]+: error: (.*)$/\1 \2/; s/ \[#[A-Za-z-]+\]$//; /^[0-9]+ /p' \
    "$work/${1##*/}" | sort -u -k1,1n -k2)
  if [[ -z $expected ]]; then
    echo "${1##*/}: says no error"
  elif [[ $found != "$expected" ]]; then
    printf '%s: expected\n%s\nbut the compiler says\n%s\n' "${1##*/}" "$expected" "$(<"$work/${1##*/}")"
  fi
}

# All corrected twins at once: a module of their own.
if ! compile -module-name Corrected "${files[@]}" >"$work/corrected" 2>&1; then
  cat "$work/corrected" >&2
  echo 'prove-misuse: a corrected twin does not compile' >&2
  exit 1
fi

# As many at a time as there are processors.
at_once=$(getconf _NPROCESSORS_ONLN)
for ((i = 0; i < ${#files[@]}; i++)); do
  if ((i >= at_once)); then wait -n; fi
  prove "${files[i]}" >"$work/verdict-$i" &
done
wait
if [[ -n $(cat "$work"/verdict-*) ]]; then
  cat "$work"/verdict-* >&2
  echo 'prove-misuse: the errors are not those expected' >&2
  exit 1
fi
echo "misuse does not compile: ${#files[@]} kinds, and their corrected twins do"
