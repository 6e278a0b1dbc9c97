#!/usr/bin/env bash
# Compiles the C target against musl's headers, which differ from glibc's where it hurts: control
# messages, the types of iovec counts.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v musl-gcc >/dev/null; then
  echo 'not checked against musl: no musl-gcc (Debian: apt-get install musl-tools)'
  exit 0
fi
# musl brings none of the kernel's headers; the system's are the same interface.
triplet=$(gcc -print-multiarch 2>/dev/null || true)
for file in "$root"/Sources/CZeroCopy/*.c; do
  musl-gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -I"$root/Sources/CZeroCopy/include" \
    -idirafter /usr/include ${triplet:+-idirafter "/usr/include/$triplet"} "$file"
done
echo 'the C target compiles against musl'
