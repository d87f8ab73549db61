#!/usr/bin/env bats
# Incremental snapshots: what a change costs, counted in bytes of the store; metadata; zeros; a real database.
load helper

setup() {
	T=$(mktemp -d -p /var/tmp)
	make_host
	# A file is trusted unread when its times are older than this.
	printf '[defaults]\nracy_window = 1s\n' >>"$H/conf"
	SAMPLE=(--sample)
	[ -z "${VOLSNAP_LONG:-}" ] || SAMPLE=()
}

show() { sed 's/^/# /' >&3; }

counted() {
	python3 "$ROOT/tests/counted.py" "$VOLSNAP" "${SAMPLE[@]}" "$@" | show
	[ "${PIPESTATUS[0]}" = 0 ]
}

@test "pages of a 256 MiB InnoDB file changed in place: 1.3x what they compress to, and 64 KiB; T47 nothing changed" {
	counted pages
}

@test "a row inserted into the 256 MiB table by its server" {
	counted row
}

@test "a log appended: 256 KiB; T47 nothing changed: 64 KiB" {
	counted log
}

@test "1 KiB inserted near the start of 100 MB: 256 KiB" {
	counted insert
}

@test "one of many files changed, renamed, its directory renamed, T11 chmodded: 256 KiB each; all touched: headers; T47 nothing opened" {
	counted files
}

@test "T11: changed owner, mode, attributes, ACL, flags or times alone are in the next snapshot" {
	add_volume db
	d=$H/volumes/db/_data
	mkdir "$d/dir"
	for n in owner mode attribute acl flag time same; do head -c 100000 /dev/urandom >"$d/dir/$n"; done
	init_host
	sleep 1.1
	vs -q snapshot db
	chown 1234:4321 "$d/dir/owner"
	chmod 4750 "$d/dir/mode" "$d/dir"
	setfattr -n user.colour -v blue "$d/dir/attribute"
	setfacl -m u:1234:rw "$d/dir/acl"
	chattr +d "$d/dir/flag"
	touch -d 2001-02-03T04:05:06.789 "$d/dir/time"
	sleep 1.1
	expect 0 vs --json snapshot db
	echo "# stored $(grep -o '"stored": [0-9]*' <<<"$output")" >&3
	expect 0 vs restore db@2 --to "$T/out"
	same "$d" "$T/out"
	setfattr -x user.colour "$d/dir/attribute"
	setfacl -b "$d/dir/acl"
	chattr -d "$d/dir/flag"
	chown 0:0 "$d"
	sleep 1.1
	expect 0 vs snapshot db
	expect 0 vs restore db@3 --to "$T/out3"
	same "$d" "$T/out3"
	second_reader verify
}

@test "T13: files of zeros at the sizes where chunks and frames end, written and as holes" {
	add_volume db
	d=$H/volumes/db/_data
	for edge in 1 4096 16384 65536 131072 524288 589824 1048576; do
		for size in $((edge - 1)) $edge $((edge + 1)); do
			head -c "$size" /dev/zero >"$d/zeros-$size"
			[ "$size" -lt 4096 ] || truncate -s "$size" "$d/hole-$size"
		done
	done
	init_host
	sleep 1.1
	vs -q snapshot db
	expect 0 vs restore db@1 --to "$T/out1"
	same "$d" "$T/out1"
	# One byte in each second one, and all grow by a page.
	for f in "$d"/*; do
		case $f in *[02468]) printf x | dd of="$f" bs=1 seek=100 conv=notrunc status=none ;; esac
		head -c 4096 /dev/zero >>"$f"
	done
	sleep 1.1
	expect 0 vs --json snapshot db
	echo "# of $(find "$d" -type f | wc -l) files, stored $(grep -o '"stored": [0-9]*' <<<"$output")" >&3
	expect 0 vs restore db@2 --to "$T/out2"
	same "$d" "$T/out2"
	expect 0 vs restore db@1 --to "$T/out1b"
	same "$T/out1" "$T/out1b"
	second_reader verify
}

@test "T47: runs with no changes keep the cache hot" {
	add_volume db
	d=$H/volumes/db/_data
	mkdir "$d/dir"
	head -c 3000000 /dev/urandom >"$d/big"
	for n in $(seq 300); do echo "$n" >"$d/dir/$n"; done
	init_host
	sleep 1.1
	opened=0
	for n in 1 2 3 4 5; do
		strace -f -y -o "$T/trace" -e trace=openat "$VOLSNAP" -q snapshot db
		opened=$(grep -cE "openat\(.*= [0-9]+<$d/(big|dir/[0-9]+)>" "$T/trace" || true)
		bytes=$(stat -c %s "$T"/store/s/*/*/000000000"$n"-*.vsf)
		echo "# run $n: $opened files opened, $bytes bytes" >&3
		[ "$n" = 1 ] || [ "$bytes" -le 65536 ]
		[ "$n" = 1 ] || [ "$opened" = 0 ]
	done
	expect 0 vs restore db@latest --to "$T/out"
	same "$d" "$T/out"
}

@test "a MariaDB that sysbench writes to between snapshots: each restores equal, and starts" {
	words=(--snapshots 3 --seconds 1 --small)
	[ -z "${VOLSNAP_LONG:-}" ] || words=(--snapshots 10)
	python3 "$ROOT/tests/database.py" "$VOLSNAP" "${words[@]}" | show
	[ "${PIPESTATUS[0]}" = 0 ]
}
