#!/bin/sh
# Installs, on Debian and Ubuntu, the packages that volsnap and its tests need and that are missing;
# elsewhere prints them.  "deps.sh build" is for building alone, "deps.sh bench" for the benchmark too.
set -u

build="gcc make pkg-config libc6-dev libarchive-dev libsodium-dev libzstd-dev libinih-dev libjansson-dev"
tests="clang libclang-rt-14-dev libcmocka-dev libacl1-dev bats shellcheck strace python3 zstd
attr acl libarchive-tools libcap2-bin e2fsprogs xfsprogs mount util-linux mandoc
mariadb-server debootstrap sysbench faketime bsdextrautils"
bench="restic age time"

want=$build
[ "${1:-all}" = build ] || want="$build $tests"
[ "${1:-all}" != bench ] || want="$want $bench"

if ! command -v dpkg-query >/dev/null 2>&1; then
	echo "Not a Debian system: install what corresponds to these packages:"
	echo "$want" | tr ' ' '\n'
	exit 0
fi
missing=
for p in $want; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "missing packages:$missing"
	echo "as root: apt-get install$missing"
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null || exit 1
# No service that a package brings may start on the build machine.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=1
fi
# shellcheck disable=SC2086 # a list of words
apt-get install -y -q --no-install-recommends $missing >/dev/null
code=$?
[ -z "$made" ] || rm -f "$policy"
exit $code
