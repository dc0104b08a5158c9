#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything, from a fresh Debian 12: installs, builds and runs all tests.
#
#   scripts/test.sh            all of them
#   scripts/test.sh SUITE...   some of: unit abi oci fuzz programs nested cgroup2 clients, and bochs, which only this runs
#
# The last line is `N passed, N failed`; the exit status is non-zero when anything failed. BUILD names the build directory
# (default: build). Downloaded things are cached in $BUILD/cache.
set -uo pipefail
cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build}
suites=${*:-unit abi oci fuzz programs nested cgroup2 clients}
passed=0
failed=0

# A suite is a command whose last line is `N passed, N failed`.
suite() {
	local name=$1 last log=$BUILD/test-$1.log
	shift
	echo "== $name"
	# Only the very last line of all is to look like a result.
	"$@" 2>&1 | tee "$log" | sed -u -E "s/^([0-9]+ passed, [0-9]+ failed)\$/-- $name: \1/"
	last=$(tail -n 1 "$log")
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
	else
		echo "FAIL $name: it did not come to its end"
		failed=$((failed + 1))
	fi
}

# Host-side unit tests, and the experiment that the KVM platform's page tables rest on; most of them once more with ASan and
# UBSan. A skip is a failure in CI where the device is there.
unit() {
	passed=0 failed=0
	meson_test "$BUILD" --no-rebuild --suite unit --suite kvm
	[ -f "$BUILD/sanitize/build.ninja" ] || meson setup "$BUILD/sanitize" -Dsanitize_host=true >/dev/null
	meson_test "$BUILD/sanitize" --suite sanitize
	echo "$passed passed, $failed failed"
}

# Counts what `meson test` finds in a build directory.
meson_test() {
	local dir=$1 log=$1/meson-logs/testlog.txt ok skipped
	shift
	rm -f "$log"
	meson test -C "$dir" "$@" --print-errorlogs
	count() { sed -n "s/^$1: *\([0-9]*\).*/\1/p" "$log" 2>/dev/null | tail -n 1; }
	ok=$(count Ok)
	skipped=$(count Skipped)
	failed=$((failed + $(count Fail) + $(count Timeout) + 0))
	passed=$((passed + ${ok:-0}))
	if [ "${skipped:-0}" != 0 ] && [ -n "${CI:-}" ] && [ -e /dev/kvm ]; then
		echo "FAIL unit: $skipped skipped although /dev/kvm is there"
		failed=$((failed + skipped))
	fi
	[ -n "$ok" ] || failed=$((failed + 1))
}

scripts/setup.sh || exit 1
[ -f "$BUILD/build.ninja" ] || meson setup "$BUILD" || exit 1
ninja -C "$BUILD" || exit 1
for s in $suites; do
	case $s in
	unit) suite unit unit ;;
	abi) suite abi tests/run ;;
	oci) suite oci tests/oci/run ;;
	fuzz) suite fuzz tests/fuzz/run ;;
	programs) suite programs tests/programs/run ;;
	nested) suite nested tests/nested/run ;;
	cgroup2) suite cgroup2 tests/nested/cgroup2 ;;
	bochs) suite bochs sh -c 'scripts/setup.sh bochs && exec tests/nested/bochs' ;;
	clients) suite clients sh -c 'scripts/setup.sh clients && exec tests/clients/run' ;;
	*) echo "test.sh: no suite named $s" >&2 && exit 2 ;;
	esac
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
