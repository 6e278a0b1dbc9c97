#!/usr/bin/env bash
# Finds out what this machine lacks to build the package; installs what the system's package manager may
# install, and says in one line what has to be installed by hand.
set -euo pipefail

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

# A Swift toolchain of 6.2 or newer.
get_swift='install Swift 6.2 or newer: https://www.swift.org/install/linux'
command -v swift >/dev/null || fail "there is no Swift here; $get_swift"
version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -n 1)
read -r major minor <<<"${version:-0 0}"
if ((major < 6 || (major == 6 && minor < 2))); then fail "Swift $major.$minor is too old; $get_swift"; fi

# The kernel's and libc's headers. Elsewhere than on Linux the toolchain brings what there is.
[[ $(uname -s) == Linux ]] || exit 0
# The toolchain's own compiler, or whichever there is.
compiler=$(command -v clang || command -v cc || command -v gcc) || fail 'there is no clang beside swift; put it on the PATH'
has_headers() {
  printf '#include <linux/errqueue.h>\n#include <sys/socket.h>\n' | "$compiler" -E -x c - >/dev/null 2>&1
}
if has_headers; then exit 0; fi

install=
if command -v apt-get >/dev/null; then
  install='apt-get install -y libc6-dev linux-libc-dev'
elif command -v dnf >/dev/null; then
  install='dnf install -y glibc-devel kernel-headers'
elif command -v apk >/dev/null; then
  install='apk add musl-dev linux-headers'
fi
[[ -n $install ]] || fail 'the headers of libc and of the kernel are missing; install your distribution'"'"'s packages for both'
if ((EUID != 0)); then fail "the headers of libc and of the kernel are missing; run: sudo $install"; fi
printf 'installing the headers: %s\n' "$install" >&2
if [[ $install == apt-get* ]]; then apt-get update >/dev/null; fi
$install >/dev/null || fail "could not install the headers; run: $install"
has_headers || fail 'the headers of libc and of the kernel are still missing'
