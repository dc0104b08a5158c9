#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 to commands in a sandbox: installs packages, builds, and runs a few over this machine's own root
# file system, which is read-only for them under a writable overlay in memory. PLATFORM=kvm or ptrace (default: auto).
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
scripts/setup.sh build
[ -f "$build/build.ninja" ] || meson setup "$build" -Dtests=false >/dev/null
ninja -C "$build" >/dev/null
runsc="$build/runsc --platform=${PLATFORM:-auto}"

demo() {
	printf '\n\033[1m$ %s\033[0m\n' "$*"
	$runsc do sh -c "$*"
}

demo 'uname -a'
demo 'dmesg | head'
demo 'id; cat /proc/self/status | head -3'
demo 'ls -l / | head -5; df / 2>/dev/null | tail -1'
demo 'echo "only in the sandbox" > /etc/demo && cat /etc/demo'
printf '\n\033[1m(on the host) $ cat /etc/demo\033[0m\n'
cat /etc/demo 2>&1 || true
demo 'ps aux 2>/dev/null || cat /proc/[0-9]*/comm'
demo 'seq 1 100000 | sort -rn | head -3'
demo 'for i in 1 2 3; do (sleep 0.1; echo child $i) & done; wait'
demo 'command -v python3 >/dev/null && python3 -c "import platform, os; print(platform.platform(), os.cpu_count())" || true'
