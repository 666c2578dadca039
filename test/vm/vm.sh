#!/bin/bash
# Real Linux hosts for the kernel tests: boots a small Debian under QEMU, without KVM, in about 20 seconds.
#
#   vm.sh build
#       Installs the packages it needs and builds the guest into the cache folder. Does nothing when it is there.
#   vm.sh run [-m v2|hybrid|v1] [-t SECONDS] [-p PROJECTDIR] [-o OUTDIR] -- 'guest command'
#       Runs the command in a fresh guest, as root, in /work (PROJECTDIR, read-only). The command's output comes
#       live on stdout, its exit code is the exit code, and what it writes to /out is copied to OUTDIR.
#       Exit code 124: time limit (default 600 s, boot included). 125: the guest died. 2: wrong usage.
#
# Environment: HOLDFAST_VM_CACHE (default /var/cache/holdfast-vm),
#              HOLDFAST_VM_KARGS (more kernel arguments, such as 'loglevel=7 systemd.show_status=1' to watch the boot).
# More in README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cache=${HOLDFAST_VM_CACHE:-/var/cache/holdfast-vm}

# What the machine needs for "build" and "run".
host_packages=(qemu-system-x86 busybox-static cpio squashfs-tools mmdebstrap eatmydata)

say() { echo "vm: $*" >&2; }
die() { say "$2"; exit "$1"; }
usage() { sed -n '2,/^# More/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# --- processes and temporary files ---

child='' tmp=''

# Runs a command as a process group of its own and waits for it. Bash runs a trap only when a foreground command has
# ended, but at once during "wait". PR_SET_PDEATHSIG ends the command even if this script is killed with SIGKILL.
supervised() {
  setsid setpriv --pdeathsig TERM "$@" </dev/null &
  child=$!
  local rc=0
  wait "$child" || rc=$?
  child=''
  return "$rc"
}

cleanup() {
  trap '' INT TERM HUP
  if [ -n "$child" ]; then
    # By group and by id: it may not have come to its setsid() yet.
    kill -TERM -- "-$child" "$child" 2>/dev/null || true
    for _ in {1..70}; do kill -0 -- "-$child" 2>/dev/null && sleep 0.1; done
    kill -KILL -- "-$child" "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  # --one-file-system: a half-built root file system may have /proc or /dev of this machine mounted inside.
  [ -z "$tmp" ] || rm -rf --one-file-system "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- build ---

# The image's name is a hash of what it is made of, so a changed package list or node means another image.
image_path() {
  local node
  node=$(readlink -f "$(command -v node)") || die 2 'there is no node in PATH'
  { cat "$here/image.sh" "$here/guest/vmtest.service" "$here/guest/masked-units"
    grep VERSION_CODENAME /etc/os-release
    stat -c '%n %s %Y' "$node"
  } | sha256sum | sed "s|^\(.\{16\}\).*|$cache/image-\1|"
}

build() {
  [ "$(uname -m)" = x86_64 ] || die 2 'only x86_64 machines can build and run the guest'
  local missing=() package
  for package in "${host_packages[@]}"; do
    [ -e "/var/lib/dpkg/info/$package.list" ] || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || die 2 "only Debian machines can build the guest; missing: ${missing[*]}"
    say "installing ${missing[*]}"
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
  fi

  image=$(image_path)
  [ ! -d "$image" ] || return 0
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9 # two builds at the same time: the second one finds the image of the first
  if [ ! -d "$image" ]; then
    say "building $image"
    rm -rf --one-file-system "$cache"/building.* # of builds that were killed with SIGKILL; the lock says that none runs
    tmp=$(mktemp -d "$cache/building.XXXXXX")
    # shellcheck source=image.sh
    . "$here/image.sh"
    build_image "$tmp"
    mv -T "$tmp/image" "$image" # the only step that makes the image visible
    rm -rf --one-file-system "$tmp"
    say "built in $SECONDS s"
  fi
  exec 9>&-
}

# --- run ---

run() {
  local mode=v2 limit=600 project=$here/../.. out='' option
  while getopts m:t:p:o: option; do
    case $option in
      m) mode=$OPTARG ;; t) limit=$OPTARG ;; p) project=$OPTARG ;; o) out=$OPTARG ;; *) usage ;;
    esac
  done
  shift $((OPTIND - 1))
  [ $# = 1 ] || usage
  [[ $limit =~ ^[1-9][0-9]*$ ]] || die 2 "-t wants a number of seconds, not '$limit'"
  project=$(cd "$project" && pwd -P)
  [ -z "$out" ] || mkdir -p "$out"

  # loglevel=3: the kernel's messages on killed processes go to dmesg only, not between the command's output.
  local kernel_args="console=ttyS0 quiet loglevel=3 panic=-1 systemd.show_status=0 ${HOLDFAST_VM_KARGS:-}"
  case $mode in
    v2) kernel_args+=' systemd.unified_cgroup_hierarchy=1' ;;
    hybrid) kernel_args+=' systemd.unified_cgroup_hierarchy=0' ;;
    v1) kernel_args+=' systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1' ;;
    *) die 2 "-m wants v2, hybrid or v1, not '$mode'" ;;
  esac

  build
  tmp=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-vm.XXXXXX")

  # Caches are not sent, but packages in node_modules have source folders with the name "cache".
  (cd "$project" && find . -name node_modules -prune -o \( -name .git -o -name cache \) -prune -printf '%P\n') >"$tmp/exclude"
  supervised mksquashfs "$project" "$tmp/work.squashfs" -comp lz4 -noappend -quiet -no-progress -ef "$tmp/exclude" >&2
  truncate -s 512M "$tmp/io.img"

  # The kernel unpacks archives that follow each other. So the start scripts can change without a new image.
  mkdir "$tmp/boot"
  cp "$here/guest/init" "$here/guest/vmtest" "$tmp/boot/"
  chmod 755 "$tmp/boot/init" "$tmp/boot/vmtest"
  printf '%s\n' "$1" >"$tmp/boot/command"
  echo "$limit" >"$tmp/boot/limit"
  { cat "$image/initrd"; (cd "$tmp/boot" && find . -type f | cpio -o -H newc --quiet); } >"$tmp/initrd"

  # The guest keeps the time limit itself and reports; "timeout" is for a guest that does not boot or hangs as a whole.
  local qemu_rc=0 rc=125 start=$SECONDS
  supervised timeout -k 5 "$limit" setpriv --pdeathsig KILL \
    qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nodefaults -no-user-config -no-reboot \
    -display none -monitor none -serial stdio \
    -drive "file=$image/root.squashfs,if=none,id=root,format=raw,readonly=on" -device virtio-blk-pci,drive=root \
    -drive "file=$tmp/work.squashfs,if=none,id=work,format=raw,readonly=on" -device virtio-blk-pci,drive=work \
    -drive "file=$tmp/io.img,if=none,id=io,format=raw,cache=unsafe" -device virtio-blk-pci,drive=io \
    -device virtio-rng-pci -device virtio-serial-pci \
    -chardev "file,id=out,path=$tmp/out.tar" -device virtserialport,chardev=out,name=out \
    -kernel "$image/vmlinuz" -initrd "$tmp/initrd" -append "$kernel_args" || qemu_rc=$?

  # The exit code is the archive's last member: it is there only if the archive is whole.
  if [ -s "$tmp/out.tar" ]; then
    rc=$(tar -xOf "$tmp/out.tar" exit-code 2>/dev/null) || rc=125
    [ -z "$out" ] || tar -xf "$tmp/out.tar" -C "$out" --strip-components=1 --no-same-owner out ||
      say "/out came back incomplete"
  fi
  local elapsed=$((SECONDS - start))
  if [ "$qemu_rc" != 0 ]; then
    say "qemu ended with $qemu_rc"
    [ "$elapsed" -lt "$limit" ] || rc=124
  fi
  say "mode $mode, exit code $rc, $elapsed s"
  exit "$rc"
}

case ${1:-} in
  build) [ $# = 1 ] || usage; build ;;
  run) shift; run "$@" ;;
  *) usage ;;
esac
