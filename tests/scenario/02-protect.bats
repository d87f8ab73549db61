#!/usr/bin/env bats
# What is refused, and with which exit code.
load helper

@test "T5: a missing source fails and makes no snapshot" {
	add_volume db
	init_host
	rm -rf "$H/volumes/db"
	expect 1 vs snapshot db
	says "$H/volumes/db/_data"
	expect 0 vs --json list
	says '"snapshots": []'
}

@test "T6: a volume that is suddenly empty is refused" {
	add_volume db
	touch "$H/volumes/db/_data/a"
	init_host
	vs -q snapshot db
	rm "$H/volumes/db/_data/a"
	expect 9 vs snapshot db
	says "--allow-empty"
	expect 0 vs snapshot db --allow-empty
	expect 0 vs snapshot db
}

@test "T17: restore refuses a volume with content; --replace equals the snapshot and keeps the old" {
	add_volume db
	touch "$H/volumes/db/_data/a"
	init_host
	vs -q snapshot db
	cp -a "$H/volumes/db/_data" "$T/original"
	touch "$H/volumes/db/_data/other"
	expect 9 vs restore db@latest
	says "--replace"
	[ -e "$H/volumes/db/_data/other" ]
	expect 0 vs restore db@latest --replace
	same "$T/original" "$H/volumes/db/_data"
	[ -e "$H/volumes/db/.volsnap-previous/other" ]
	touch "$H/volumes/db/_data/more"
	expect 9 vs restore db@latest --replace
	says "--discard-previous"
	expect 0 vs restore db --discard-previous
	expect 6 vs restore db --discard-previous
	expect 0 vs restore db@latest --replace
}

@test "T16: nothing beside the volume is touched by a restore" {
	add_volume db
	touch "$H/volumes/db/_data/a"
	init_host
	vs -q snapshot db
	echo sentinel >"$H/volumes/db/opts.json"
	mkdir -p "$H/volumes/sister/_data/x"
	expect 0 vs restore db@latest --replace
	[ "$(cat "$H/volumes/db/opts.json")" = sentinel ]
	[ -d "$H/volumes/sister/_data/x" ]
}

@test "--if-empty leaves content alone, and a first installation is success" {
	add_volume db
	init_host
	touch "$H/volumes/db/_data/a"
	expect 0 vs restore db@latest --if-empty
	says "left alone"
	rm "$H/volumes/db/_data/a"
	expect 0 vs restore db@latest --if-empty
	says "nothing to restore"
	touch "$H/volumes/db/_data/a"
	vs -q snapshot db
	rm -rf "$H/volumes/db"
	expect 0 vs restore db@latest --if-empty
	[ -e "$H/volumes/db/_data/a" ]
}

@test "T59: a store without its marker is refused before a byte is written" {
	add_volume db
	init_host
	mv "$T/store/volsnap-store" "$T/marker"
	find "$T/store" -type f -o -type d | sort >"$T/before"
	expect 8 vs snapshot db
	says "mounted"
	find "$T/store" -type f -o -type d | sort | cmp - "$T/before"
	mv "$T/store" "$T/away"
	expect 8 vs snapshot db
	[ ! -e "$T/store" ]
	mv "$T/away" "$T/store"
	mv "$T/marker" "$T/store/volsnap-store"
}

@test "T66: exit codes tell no volume, no snapshot, no key, wrong store apart" {
	add_volume db
	expect 7 vs list
	init_host
	expect 6 vs snapshot nothere
	expect 6 vs restore db@latest --to "$T/out"
	touch "$H/volumes/db/_data/a"
	vs -q snapshot db
	expect 6 vs restore db@7 --to "$T/out"
	mv "$H/keys/reader.key" "$T/"
	expect 7 setsid "$VOLSNAP" restore db@1 --to "$T/out" </dev/null
	expect 2 vs restore db@bad-which-! --to "$T/out"
	mv "$T/store" "$T/away"
	expect 8 vs list
	expect 2 vs frobnicate
	[ ! -e "$T/out" ]
	mv "$T/away" "$T/store"
}

@test "T63: mistakes in the configuration name file and line" {
	add_volume db 'exclude = a;b ; c'
	expect 4 vs config check
	says "conf:1"
	make_host two
	printf '[volume x]\nquiese = pause\n' >>"$H/conf"
	expect 4 vs config check
	says "quiesce"
	make_host three
	printf '[volume x]\nexclude = %5000d\n' 0 >>"$H/conf"
	expect 4 vs config check
	make_host four
	add_volume db
	expect 0 vs config check
	expect 0 vs config show
	says "volumes_dir"
}

@test "T34b: config show and a verbose run print no secrets" {
	add_volume db
	touch "$H/volumes/db/_data/a"
	init_host
	{ vs config show; vs -v snapshot db; vs --json list; vs show db@1; vs -v verify; } >"$T/log" 2>&1
	python3 - "$H/keys" "$T/log" "$T/paper" <<-'PY'
		import sys, pathlib
		log = pathlib.Path(sys.argv[2]).read_bytes()
		for f in pathlib.Path(sys.argv[1]).glob('*.key'):
		    secret = f.read_bytes()[16:48]
		    assert secret not in log and secret.hex().encode() not in log, f
		for line in pathlib.Path(sys.argv[3]).read_text().splitlines():
		    if not line.startswith('#'):
		        assert line.encode() not in log
	PY
}

@test "--all goes on past a failed volume" {
	add_volume a
	add_volume gone
	add_volume z
	touch "$H/volumes/a/_data/x" "$H/volumes/z/_data/x"
	init_host
	rm -rf "$H/volumes/gone"
	expect 1 vs snapshot --all
	says "a@1"
	says "z@1"
	expect 1 vs --json snapshot --all
	python3 -c 'import json,sys; d=json.loads(sys.argv[1][sys.argv[1].index("{"):]); assert [x["exit"] for x in d["snapshots"]] == [0, 1, 0], d' "$output"
}

@test "a volume in use by a container is refused" {
	add_volume db
	touch "$H/volumes/db/_data/a"
	init_host
	vs -q snapshot db
	mkdir "$T/mnt"
	unshare -m sh -c "mount --bind '$H/volumes/db/_data' '$T/mnt' && touch '$T/ready' && exec sleep 60" &
	child=$!
	for _ in $(seq 50); do [ -e "$T/ready" ] && break; sleep 0.1; done
	run vs restore db@latest --replace
	kill "$child"
	wait "$child" || true
	[ "$status" = 9 ]
	says "in use"
}

@test "who may not look at all processes is told that a user would not be noticed" {
	add_volume db
	touch "$H/volumes/db/_data/a"
	init_host
	vs -q snapshot db
	chown -R 65534:65534 "$T"
	expect 0 unshare -m sh -c "mount -t proc -o hidepid=2 proc /proc &&
		setpriv --reuid 65534 --regid 65534 --clear-groups \
		'$VOLSNAP' restore db@1 --replace --dry-run"
	says "would not be noticed"
	expect 0 vs restore db@1 --replace --dry-run
	lacks "would not be noticed"
}

@test "the second reader's word is no: a store with a changed byte, an export with another one" {
	add_volume db
	echo content >"$H/volumes/db/_data/file"
	init_host
	vs -q snapshot db
	printf '#!/bin/sh\n"%s" "$@" | tr t T\n' "$VOLSNAP" >"$T/changed"
	printf '#!/bin/sh\n"%s" "$@" | head -c -1\n' "$VOLSNAP" >"$T/short"
	printf '#!/bin/sh\n"%s" "$@"; exit 1\n' "$VOLSNAP" >"$T/failing"
	chmod +x "$T/changed" "$T/short" "$T/failing"
	for wrong in changed short; do
		expect 1 "$ROOT/tests/second.py" "$T/store" "$T/paper" "$T/$wrong"
		says "tars differ"
	done
	expect 1 "$ROOT/tests/second.py" "$T/store" "$T/paper" "$T/failing"
	says "export 1"
	file=$(ls "$T"/store/s/*/*/*.vsf)
	cp "$file" "$T/keep"
	flip "$file" 6000
	expect 1 "$ROOT/tests/second.py" "$T/store" "$T/paper" "$VOLSNAP"
	says "segment 0 is damaged"
	cat "$T/keep" >"$file"
}
