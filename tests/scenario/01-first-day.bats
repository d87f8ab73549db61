#!/usr/bin/env bats
# A first day: make keys and store, snapshot, list, lose the volume, restore it.
load helper

@test "init, snapshot, list, restore, verify" {
	add_volume db
	echo content >"$H/volumes/db/_data/file"
	ln "$H/volumes/db/_data/file" "$H/volumes/db/_data/second"
	cp -a "$H/volumes/db/_data" "$T/original"
	expect 0 vs init --paper "$T/paper" --yes
	expect 0 vs snapshot db
	says "db@1"
	expect 0 vs list
	says "complete"
	rm -rf "$H/volumes/db"
	expect 0 vs restore db@latest
	same "$T/original" "$H/volumes/db/_data"
	expect 0 vs verify
	says "every byte and every entry"
}

@test "T34a: keys are 0600 from the first moment whatever the umask" {
	umask 0
	strace -f -e trace=openat,open,creat -o "$T/trace" "$VOLSNAP" -q init --paper "$T/paper" --yes
	grep -E 'O_CREAT' "$T/trace" | grep -E '(key|paper|pin)' >"$T/made"
	[ -z "$(grep -v '0600' "$T/made")" ]
	for f in "$H"/keys/*.key "$T/paper"; do
		[ "$(stat -c %a "$f")" = 600 ]
	done
}

@test "init refuses existing keys and an existing store" {
	init_host
	before=$(sha256sum "$H"/keys/* | sha256sum)
	expect 9 vs init --paper "$T/paper2" --yes
	[ "$before" = "$(sha256sum "$H"/keys/* | sha256sum)" ]
	[ ! -e "$T/paper2" ]
	make_host other
	expect 9 vs init --paper "$T/paper2" --yes
	says "--join"
}

@test "without a terminal init asks for --paper and makes nothing" {
	expect 2 setsid "$VOLSNAP" init </dev/null
	says "--paper"
	[ ! -e "$T/store/volsnap-store" ]
}

@test "a recovery key on paper opens the store on another host" {
	add_volume db
	echo content >"$H/volumes/db/_data/file"
	init_host
	vs -q snapshot db
	original=$H/volumes/db/_data
	make_host newhost
	expect 7 vs list
	expect 0 vs key import --key "$T/paper"
	expect 0 vs list
	says "host/db"
	expect 0 vs show host/db@latest --files
	says "./file"
	expect 0 vs restore host/db@latest --to "$T/out"
	same "$original" "$T/out"
	vs export host/db@1 >"$T/tar"
	expect 0 vs verify
	says "every entry"
}

@test "a wrong recovery key is told from a mistyped one" {
	init_host
	cp -r "$T/store" "$T/store1"
	make_host b
	sed "s|$T/store|$T/store2|" -i "$H/conf"
	vs -q init --paper "$T/paper2" --yes
	make_host c
	expect 7 vs key import --key "$T/paper2"
	says "not signed by this recovery key"
	"$ROOT/tests/second.py" "$T/store2" "$T/paper2" "$VOLSNAP"
	sed '3s/^./#/;t' "$T/paper" | tr 'ABC' 'BCA' >"$T/typo"
	expect 7 vs key import --key "$T/typo"
	says "line"
}

@test "a second host joins with the recovery key; each lists its own" {
	add_volume db
	init_host
	echo a >"$H/volumes/db/_data/a"
	vs -q snapshot db
	make_host second
	add_volume db
	echo b >"$H/volumes/db/_data/b"
	expect 0 vs init --join --key "$T/paper"
	expect 0 vs snapshot db
	expect 0 vs list db
	says "db"
	expect 0 vs restore db@latest --to "$T/out"
	[ -e "$T/out/b" ]
}

@test "a sealed host writes and cannot read; the paper still opens it" {
	add_volume db
	echo a >"$H/volumes/db/_data/a"
	init_host
	vs -q snapshot db
	expect 0 vs key seal --key "$T/paper"
	[ ! -e "$H/keys/reader.key" ]
	expect 0 vs snapshot db
	expect 7 setsid "$VOLSNAP" restore db@latest --to "$T/out" </dev/null
	says "--key"
	expect 0 vs list
	says "complete"
	expect 0 vs verify
	says "no reading key"
	expect 0 vs restore db@latest --to "$T/out" --key "$T/paper"
	expect 0 vs restore db@latest --to "$T/out2" --key - <"$T/paper"
}
