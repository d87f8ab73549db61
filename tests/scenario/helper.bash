# What the scenarios share: a temporary host with store, keys, state and volumes.
# shellcheck shell=bash

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
VOLSNAP=${VOLSNAP:-$ROOT/build/${FLAVOUR:-release}/volsnap}

# make_host [NAME]: a host in $T/NAME with an empty configuration; the store is $T/store.
make_host() {
	local name=${1:-host}
	H=$T/$name
	mkdir -p "$H/volumes" "$H/state"
	cat >"$H/conf" <<-CONF
		[host]
		name = $name
		[store]
		location = $T/store
		[keys]
		directory = $H/keys
		[state]
		directory = $H/state
		[engine]
		kind = none
		volumes_dir = $H/volumes
	CONF
	export VOLSNAP_CONFIG=$H/conf
}

# add_volume NAME [LINE...]: a section, and its directory.
add_volume() {
	local name=$1
	shift
	mkdir -p "$H/volumes/$name/_data"
	printf '[volume %s]\n' "$name" >>"$H/conf"
	printf '%s\n' "$@" >>"$H/conf"
}

vs() { "$VOLSNAP" "$@"; }

# expect CODE command...: runs it; output and stderr land in $output.
expect() {
	local want=$1
	shift
	run "$@"
	if [ "$status" != "$want" ]; then
		echo "expected exit $want, got $status from: $*"
		echo "$output"
		return 1
	fi
}

# says TEXT: the last output has it.
says() {
	if ! grep -qF -- "$1" <<<"$output"; then
		echo "expected \"$1\" in:"
		echo "$output"
		return 1
	fi
}

# lacks TEXT: the last output does not have it.  (bash -e lets a negated command pass.)
lacks() {
	if grep -F -- "$1" <<<"$output"; then
		echo "did not expect \"$1\""
		return 1
	fi
}

# flip FILE OFFSET: every bit of one byte, whatever it was.
flip() {
	python3 - "$1" "$2" <<-'PY'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    f.seek(int(sys.argv[2]))
		    byte = f.read(1)[0]
		    f.seek(int(sys.argv[2]))
		    f.write(bytes([byte ^ 255]))
	PY
}

init_host() { vs -q init --paper "$T/paper" --yes; }
same() { python3 "$ROOT/tests/compare.py" "$1" "$2"; }
second_reader() { python3 "$ROOT/tests/reader.py" "$T/store" --key "$T/paper" "$@"; }

setup() {
	T=$(mktemp -d)
	make_host
}

# Whatever a scenario did, the second reader finds its store good, and reads the bytes that volsnap
# exports.  A scenario that damages its store repairs it in the end.
read_again() {
	[ "${BATS_TEST_COMPLETED:-}" = 1 ] && [ -e "$T/store/volsnap-store" ] || return 0
	"$ROOT/tests/second.py" "$T/store" "$T/paper" "$VOLSNAP" 2>&1 | sed 's/^/# /' >&3
	return "${PIPESTATUS[0]}"
}

teardown() {
	read_again
	local code=$?
	# What a test that failed left mounted.
	awk '{print $5}' /proc/self/mountinfo | grep "^$T/" | sort -r | xargs -r -n1 umount -l || true
	chattr -R -i -a "$T" 2>/dev/null || true
	rm -rf "$T"
	return $code
}
