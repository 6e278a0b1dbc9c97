#!/usr/bin/env bash
# Runs the package's tests on other kernels: boots Debian's own under qemu's software emulation, runs the
# test bundle that the host runs in each, and shows a table test x kernel, the host's beside them.
#
#   Scripts/test-kernels.sh [SERIES ...]     6.1 and 6.12 unless told; `swift build --build-tests` beforehand
#
#   ZEROCOPY_TEST_SCALE    in the guests, 0.05 unless told: they are some ten times slower
#   ZEROCOPY_TEST_FILTER   only the tests whose names match, everywhere
#   ZEROCOPY_GUEST_TIME    seconds after which a guest is ended, 1500 unless told
#
# Everything that is downloaded or made stays in .build/guest. Ends with 1 where a test failed or a kernel
# could not be had, and leaves no process behind.
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

root=$(cd "$(dirname "$0")/.." && pwd)
cache=$root/.build/guest
patience=${ZEROCOPY_GUEST_TIME:-1500}
filter=${ZEROCOPY_TEST_FILTER:-}
series=("$@")
if ((${#series[@]} == 0)); then series=(6.1 6.12); fi

# In the order in which they depend on each other; a kernel that has one built in has no file of it.
modules='failover net_failover virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
  virtio_net vsock vmw_vsock_virtio_transport_common vsock_loopback veth ifb sch_tbf sch_htb'
# What tests and lanes start beside busybox's programs, which do less.
programs='sh env ip tc mount unshare nsenter taskset chrt getconf'

started=()
clean_up() {
  for pid in ${started[@]+"${started[@]}"}; do kill "$pid" 2>/dev/null || true; done
  for pid in ${started[@]+"${started[@]}"}; do wait "$pid" 2>/dev/null || true; done
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fail() {
  printf 'test-kernels: %s\n' "$1" >&2
  exit 1
}
say() { printf '%s\n' "$1" >&2; }
seconds_since() { awk "BEGIN { printf \"%.0f\", ($(date +%s%N) - $1) / 1e9 }"; }

check_machine() {
  [[ $(uname -sm) == 'Linux x86_64' ]] || fail "needs Linux on x86-64, and this is $(uname -sm)"
  local missing=()
  command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
  [[ -x /bin/busybox ]] || missing+=(busybox-static)
  command -v ip >/dev/null || missing+=(iproute2)
  if ((${#missing[@]} > 0)); then
    local install="apt-get install -y --no-install-recommends ${missing[*]}"
    command -v apt-get >/dev/null || fail "needs ${missing[*]}"
    ((EUID == 0)) || fail "needs ${missing[*]}; run: sudo $install"
    say "installing ${missing[*]}"
    { apt-get update && DEBIAN_FRONTEND=noninteractive $install; } >"$cache/apt.log" 2>&1 ||
      fail "could not install ${missing[*]}; see $cache/apt.log"
  fi
}

# find_kernel SERIES: leaves the folder of the series' newest kernel in $kernel, downloaded where it is not yet.
# Without the mirror the newest that was downloaded before does.
find_kernel() {
  local pattern="linux-image-${1//./\\.}\\.[^ ]*-cloud-amd64" name
  newest() { grep -xE "$pattern" | sort -V | tail -n 1; }
  known() { apt-cache search --names-only "^$pattern\$" 2>/dev/null | cut -d ' ' -f 1 | newest; }
  fetch() {
    [[ -n $name && ! -d $cache/$name ]] || return 0
    say "downloading $name"
    local work=$cache/download
    rm -rf "$work"
    mkdir -p "$work"
    (cd "$work" && apt-get download "$name") >"$cache/apt.log" 2>&1 || return
    dpkg-deb -x "$work"/*.deb "$work/unpacked" && mv "$work/unpacked" "$cache/$name"
    rm -rf "$work"
  }
  name=$(known) || true
  if { [[ -z $name ]] || ! fetch; } && ((EUID == 0)); then
    # What apt knows may be older than the mirror.
    apt-get update >"$cache/apt.log" 2>&1 || true
    name=$(known) || true
    fetch || true
  fi
  if [[ -z $name || ! -d $cache/$name ]]; then
    name=$(cd "$cache" && compgen -G 'linux-image-*' | newest) || true
    [[ -n $name ]] || fail "apt has no linux-image-$1.*-cloud-amd64 (apt-get update; a Debian that has this series)"
    say "the mirror gives no kernel $1: using $name of an earlier run"
  fi
  kernel=$cache/$name
}

# copy_program FILE PLACE: into the guest, and beside it the libraries that it needs, at their own places.
copy_program() {
  mkdir -p "$(dirname "$guest$2")"
  cp -L "$1" "$guest$2"
  local library
  # `ldd` fails for a static program, which needs none.
  for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ )]*'); do
    if [[ -e $guest$library ]]; then continue; fi
    mkdir -p "$(dirname "$guest$library")"
    cp -L "$library" "$guest$library"
  done
}

# copy_modules KERNEL: numbered, as they have to be loaded.
copy_modules() {
  local release place module file number=10
  release=$(basename "$1"/lib/modules/*)
  place=$guest/modules/$release
  mkdir -p "$place"
  for module in $modules; do
    file=$(find "$1/lib/modules" -name "$module.ko*")
    number=$((number + 1))
    case $file in
      *.ko) cp "$file" "$place/$number-$module.ko" ;;
      *.ko.xz) xz -dc "$file" >"$place/$number-$module.ko" ;;
      *) grep -q "/$module.ko" "$1"/lib/modules/*/modules.builtin || fail "$release has no module $module" ;;
    esac
  done
}

# make_initramfs KERNEL: in its folder, anew where something in it is newer.
make_initramfs() {
  local initramfs=$1/initramfs
  local inputs=("$tests" "$tool" "$root"/Scripts/guest/* "$0")
  if [[ -e $initramfs && -z $(find "${inputs[@]}" -newer "$initramfs") ]]; then return; fi
  guest=$cache/root
  rm -rf "$guest"
  mkdir -p "$guest/etc"
  copy_program /bin/busybox /bin/busybox
  local program
  for program in $programs; do copy_program "$(command -v "$program")" "/programs/$program"; done
  mkdir -p "$guest/usr"
  ln -s /bin "$guest/usr/bin"
  copy_program "$tests" /tests/tests
  copy_program "$tool" /tests/zerocopy
  cp "$root/Scripts/guest/run-tests" "$guest/tests/run-tests"
  cp "$root/Scripts/guest/init" "$guest/init"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$guest/etc/hosts"
  printf 'root:x:0:0:root:/tmp:/bin/sh\n' >"$guest/etc/passwd"
  copy_modules "$1"
  (cd "$guest" && find . | busybox cpio -o -H newc 2>/dev/null) >"$initramfs.new"
  mv "$initramfs.new" "$initramfs"
  rm -rf "$guest"
}

# end_process PID: one of those started here.
end_process() {
  kill "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
  local pid remaining=()
  for pid in "${started[@]}"; do if [[ $pid != "$1" ]]; then remaining+=("$pid"); fi; done
  started=(${remaining[@]+"${remaining[@]}"})
}

# explain WHAT: why a run gave no results.
explain() {
  {
    printf '\n%s; the last of its console:\n' "$1"
    tail -n 25 "$console"
    printf 'tests that did not end:\n'
    # A line is a symbol, and then: Test NAME started. / Test NAME with 3 test cases passed after ...
    tr -d '\r' <"$console" | awk '$2 == "Test" && $3 != "case" && $3 != "run" {
      name = substr($0, index($0, "Test ") + 5)
      if (sub(/ started\.$/, "", name)) open[name] = 1
      else if (sub(/ (passed|failed) after .*/, "", name)) {
        sub(/ with [0-9]+ test cases?$/, "", name)
        delete open[name]
      }
    } END { for (name in open) print "  " name }'
  } >&2
  broken=1
}

# watch WHERE COMMAND...: runs it to its end, or for as long as we have patience. Its console is $console, and
# it writes $results, which end with a mark of their own.
watch() {
  local where=$1 begin status=0 missing
  shift
  say "testing on $where (${console#"$root/"})"
  begin=$(date +%s%N)
  timeout -k 10 "$patience" "$@" </dev/null >>"$console" 2>&1 &
  local process=$!
  started+=("$process")
  wait "$process" || status=$?
  end_process "$process"
  took+=("$where: $(seconds_since "$begin") s")
  if [[ -e $results ]] && grep -q '<!-- all -->' "$results"; then
    headings+=("$where") files+=("$results")
  elif ((status == 124)); then
    explain "$where did not end within $patience s"
  else
    explain "$where ended without results (exit code $status)"
  fi
  missing=$(grep '^missing: ' "$console" | tr -d '\r') || return 0
  printf '%s has not what it needs:\n%s\n' "$where" "$missing" >&2
  # A machine of somebody's own may lack a lane, a guest and CI may not.
  if [[ $where != host* || -n ${CI:-} ]]; then broken=1; fi
}

# run_guest KERNEL
run_guest() {
  local release machine card=()
  release=$(basename "$1"/lib/modules/*)
  console=$cache/$release.console results=$cache/$release.xml
  rm -f "$console" "$results"
  # What the kernel does not know itself it hands to init.
  local append="console=ttyS0 quiet panic=-1 ZEROCOPY_TEST_SCALE=${ZEROCOPY_TEST_SCALE:-0.05}"
  append+="${filter:+ ZEROCOPY_TEST_FILTER=$filter}${CI:+ CI=$CI}"
  machine=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
    -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 3072
    -kernel "$1/boot/vmlinuz-$release" -initrd "$1/initramfs"
    -serial "file:$console" -serial "file:$results")
  if ((EUID == 0)) && [[ -c /dev/net/tun ]]; then
    append+=' ZEROCOPY_TEST_SINK=10.0.2.2:9000'
    card=(-netdev tap,id=net,ifname=tap0,script=no,downscript=no,vnet_hdr=on -device virtio-net-pci,netdev=net)
    machine=(unshare --net "$root/Scripts/guest/beside-a-sink" "$tool" "${machine[@]}" "${card[@]}")
  else
    say 'the guest gets no network card: that needs root and /dev/net/tun'
  fi
  watch "${release%-cloud-amd64}" "${machine[@]}" -append "$append"
}

run_host() {
  console=$cache/host.console results=$cache/host.xml
  rm -f "$console" "$results"
  watch "host $(uname -r)" "$root/Scripts/guest/run-tests" "$tests" "$tool" "$results"
}

mkdir -p "$cache"
check_machine
built=$(swift build --package-path "$root" --show-bin-path)
tests=$built/ZeroCopyPackageTests.xctest tool=$built/zerocopy
[[ -x $tests && -x $tool ]] || fail 'the tests are not built; run: swift build --build-tests'
kernels=()
for one in "${series[@]}"; do
  find_kernel "$one"
  make_initramfs "$kernel"
  kernels+=("$kernel")
done

headings=() files=() took=() broken=0
for kernel in "${kernels[@]}"; do run_guest "$kernel"; done
run_host

names=$(IFS=, && printf '%s' "${headings[*]-}")
if ((${#files[@]} > 0)); then awk -v NAMES="$names" -f "$root/Scripts/guest/table.awk" "${files[@]}" || broken=1; fi
printf 'took %s\n' "$(IFS=';' && printf '%s' "${took[*]}" | sed 's/;/, /g')" >&2
exit "$broken"
