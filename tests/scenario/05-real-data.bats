#!/usr/bin/env bats
# Real data: a MariaDB data directory, and 50,000 files of a Debian root.
load helper

@test "a MariaDB data directory restores equal, and its server starts" {
	run "$ROOT/tests/fixtures/mariadb.sh" "$H/data"
	[ "$status" != 77 ] || skip "$output"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	add_volume db
	chmod 711 "$T" # the server runs as its own user
	rmdir "$H/volumes/db/_data"
	mv "$H/data" "$H/volumes/db/_data"
	cp -a "$H/volumes/db/_data" "$T/copy"
	init_host
	expect 0 vs snapshot db
	echo "# $output" >&3
	cp -a "$H/volumes/db/_data" "$T/original"
	rm -rf "$H/volumes/db"
	expect 0 vs restore db@latest
	same "$T/original" "$H/volumes/db/_data"
	"$ROOT/tests/fixtures/mariadb.sh" --check "$H/volumes/db/_data" >"$T/restored"
	"$ROOT/tests/fixtures/mariadb.sh" --check "$T/copy" >"$T/before"
	cmp "$T/before" "$T/restored"
}

@test "50,000 files of a Debian root restore equal" {
	run "$ROOT/tests/fixtures/debroot.sh" "$H/data"
	[ "$status" != 77 ] || skip "$output"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "$(find "$H/data" | wc -l)" -gt 50000 ]
	add_volume root
	rmdir "$H/volumes/root/_data"
	mv "$H/data" "$H/volumes/root/_data"
	init_host
	expect 0 vs snapshot root
	echo "# $output" >&3
	expect 0 vs restore root@latest --to "$T/out" --devices
	echo "# $output" >&3
	same "$H/volumes/root/_data" "$T/out"
	expect 0 vs verify
}
