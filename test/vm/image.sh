# shellcheck shell=bash
# What the guest is made of. Sourced by vm.sh for a build only; a change of this file means a new image.
# shellcheck disable=SC2154 # "here" is set there

# What the guest gets beside Debian's essential packages (perl-base is one of them).
guest_packages=(
  systemd systemd-sysv dbus libpam-systemd dbus-user-session # process 1, and user managers for the rootless tests
  procps util-linux iproute2 uidmap apparmor crun runc umoci bubblewrap
)

# Drivers that are modules in Debian's cloud kernel. There is no kmod in the guest: what is not here is not there.
guest_modules=(virtio_pci virtio_blk virtio_console virtio_net virtio_rng
  squashfs overlay autofs4 configfs bfq veth bridge tun)

build_image() {
  local tmp=$1
  chmod 755 "$tmp"
  mkdir "$tmp/image"
  apt-get update -q >&2
  build_kernel "$tmp"
  build_initrd "$tmp"

  # eatmydata drops dpkg's many fsync calls.
  apt_sources >"$tmp/sources.list"
  supervised eatmydata mmdebstrap --variant=minbase --include="${guest_packages[*]}" \
    --dpkgopt=path-exclude='/usr/share/'{doc,man,locale}'/*' \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$tmp/root" "$tmp/sources.list" >&2
  customise "$tmp/root"
  supervised mksquashfs "$tmp/root" "$tmp/image/root.squashfs" -comp lz4 -noappend -quiet -no-progress >&2
}

# Debian's own sources as this machine has them: a third-party source would need its key and has nothing for the guest.
apt_sources() {
  apt-get indextargets --format '$(ORIGIN) $(ARCHITECTURE) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "amd64" {
      print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]", $3, $4, $5 }'
}

# The package's name changes with every point release: the meta package knows it.
build_kernel() {
  local tmp=$1 package
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2 }')
  mkdir "$tmp/kernel"
  (cd "$tmp" && apt-get -q -o APT::Sandbox::User=root download "$package" && dpkg -x linux-image-*.deb kernel) >&2
  cp "$tmp"/kernel/boot/vmlinuz-* "$tmp/image/vmlinuz"
}

# Not compressed: "run" appends a second archive to it, and TCG is slow at decompression.
build_initrd() {
  local tmp=$1 root=$1/initrd file name
  mkdir -p "$root"/{bin,dev,proc,sys,mnt,lower,overlay,modules}
  cp /bin/busybox "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"

  # An unpacked kernel package has no modules.dep, but every module names its dependencies in its .modinfo section.
  declare -A module_file=() module_done=()
  while read -r file; do
    name=$(basename "$file" .ko)
    module_file[${name//-/_}]=$file
  done < <(find "$tmp/kernel/lib/modules" -name '*.ko')
  add_module() {
    local name=${1//-/_} dependency
    [ -z "${module_done[$name]:-}" ] || return 0
    module_done[$name]=yes
    [ -n "${module_file[$name]:-}" ] || die 1 "the kernel has no module $name"
    for dependency in $(grep -aoz '^depends=[^[:cntrl:]]*' "${module_file[$name]}" | tr '\0,' '\n ' | sed 's/^depends=//'); do
      add_module "$dependency"
    done
    cp "${module_file[$name]}" "$root/modules/$name.ko"
    echo "$name" >>"$root/modules/order"
  }
  for name in "${guest_modules[@]}"; do add_module "$name"; done
  (cd "$root" && find . | cpio -o -H newc --quiet) >"$tmp/image/initrd"
}

customise() {
  local root=$1 node library unit
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*

  # Node of this machine, with the libraries that the guest does not have.
  node=$(readlink -f "$(command -v node)")
  cp "$node" "$root/usr/bin/node"
  for library in $(ldd "$node" | awk '/=> \// { print $3 }'); do
    [ -e "$root$library" ] || cp -L --parents "$library" "$root"
  done

  mkdir -p "$root/work" "$root/out"
  echo holdfast-vm >"$root/etc/hostname"
  printf '127.0.0.1 localhost holdfast-vm\n::1 localhost\n' >"$root/etc/hosts"
  echo 'tmpfs /tmp tmpfs mode=1777 0 0' >"$root/etc/fstab"
  echo 11111111111111111111111111111111 >"$root/etc/machine-id" # else systemd takes every boot for the first one
  touch "$root/etc/.updated" "$root/var/.updated"
  chroot "$root" useradd -m -u 1000 -s /bin/bash user

  grep -v '^#' "$here/guest/masked-units" | while read -r unit; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  cp "$here/guest/vmtest.service" "$root/etc/systemd/system/"
  mkdir -p "$root/etc/systemd/system/graphical.target.wants"
  ln -s ../vmtest.service "$root/etc/systemd/system/graphical.target.wants/"
  ln -sf /lib/systemd/system/graphical.target "$root/etc/systemd/system/default.target"
}
