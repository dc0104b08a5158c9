#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what building and testing runsc needs on Debian 12. `setup.sh build` leaves the test tools out, `setup.sh clients`
# adds the engines, `setup.sh bochs` what tests/nested/bochs needs.
set -eu

build="gcc libc6-dev meson ninja-build pkg-config libfdt-dev libcap-ng-dev libcjson-dev libseccomp-dev libsystemd-dev"
tests="clang libclang-rt-14-dev libcmocka-dev python3 debootstrap busybox-static cpio e2fsprogs qemu-system-x86 linux-image-cloud-amd64 kmod musl-tools dbus-daemon uidmap bubblewrap iproute2"
clients="docker.io containerd podman conmon crun runc iptables uidmap slirp4netns catatonit fuse-overlayfs"
bochs="bochs bochs-term bochsbios vgabios isolinux syslinux-common xorriso"

. /etc/os-release
if [ "${ID:-}" != debian ] || [ "${VERSION_ID:-}" != 12 ]; then
	echo "setup.sh: this is ${PRETTY_NAME:-not Debian 12}; install by hand: $build $tests" >&2
	exit 1
fi
want=$build
[ "${1:-all}" = build ] || want="$build $tests"
[ "${1:-all}" != clients ] || want="$want $clients"
[ "${1:-all}" != bochs ] || want="$want $bochs"
missing=
for p in $want; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "setup.sh: root is needed to install:$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

# apt-get, which waits for dpkg's lock but not for its own: apt-daily.service has that for a while after the machine has started.
apt() {
	tries=60
	until LC_ALL=C apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" 2>"$errors"; do
		cat "$errors" >&2
		tries=$((tries - 1))
		grep -q 'Could not get lock' "$errors" && [ $tries != 0 ] || exit 1
		sleep 10
	done
	cat "$errors" >&2
}

apt update
# shellcheck disable=SC2086
apt install -y --no-install-recommends $missing
