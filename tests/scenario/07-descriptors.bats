#!/usr/bin/env bats
# Who can write to the store, and has no key, puts files where descriptors lie.
load helper

@test "what nobody signed is passed over with a warning that names it" {
	add_volume db
	touch "$H/volumes/db/_data/a"
	init_host
	vs -q snapshot db
	echo garbage >"$T/store/r/00000002.vsr"
	cp "$T/store/r/00000001.vsr" "$T/store/r/00000003.vsr"
	ln -s /etc/passwd "$T/store/r/00000004.vsr"
	mkfifo "$T/store/r/00000005.vsr"
	truncate -s 70000 "$T/store/r/4294967295.vsr"
	expect 0 vs list
	says "warning: r/00000002.vsr: "
	says "r/00000003.vsr: "
	says "r/00000004.vsr: "
	says "r/00000005.vsr: "
	says "r/4294967295.vsr: "
	says "remove it"
	expect 0 vs snapshot db
	expect 0 vs restore db@2 --to "$T/out"
	expect 0 vs verify
	make_host reader
	expect 0 vs key import --key "$T/paper"
	# The second reader would wait for the FIFO.
	find "$T/store/r" ! -name 00000001.vsr -delete 2>/dev/null || true
	[ "$(ls "$T/store/r")" = 00000001.vsr ]
}

@test "a file in the way of the next descriptor is named where one is signed" {
	init_host
	echo garbage >"$T/store/r/00000002.vsr"
	expect 5 vs key seal --key "$T/paper"
	says "r/00000002.vsr"
	says "remove it"
	[ -e "$H/keys/reader.key" ]
	make_host second
	expect 5 vs init --join --key "$T/paper"
	rm "$T/store/r/00000002.vsr"
	expect 0 vs init --join --key "$T/paper"
	expect 0 vs list
}

@test "a store set back below what the host has seen is refused, also by those who sign" {
	init_host
	cp "$T/store/r/00000001.vsr" "$T/one"
	vs -q key seal --key "$T/paper"
	expect 0 vs list
	mv "$T/store/r/00000002.vsr" "$T/two"
	expect 5 vs list
	says "set back"
	cp "$T/one" "$T/store/r/00000002.vsr"
	expect 5 vs list
	says "r/00000002.vsr"
	rm "$T/store/r/00000002.vsr"
	expect 5 vs key seal --prune --key "$T/paper"
	says "set back"
	expect 5 vs key import --key "$T/paper"
	[ ! -e "$T/store/r/00000002.vsr" ]
	cp "$T/two" "$T/store/r/00000002.vsr"
	expect 0 vs key seal --prune --key "$T/paper"
	expect 0 vs list
}
