#!/usr/bin/env bats
# What is left of damaged snapshots, and that parts of a snapshot are parts of the whole.
load helper

# Files of all sizes, two directories, a hard link.
fill() {
	python3 - "$1" <<-'PY'
		import os, random, sys
		top = sys.argv[1]
		r = random.Random(7)
		os.makedirs(top + "/d/e", exist_ok=True)
		for i in range(60):
		    where = top + ("", "/d", "/d/e")[i % 3] + "/f%02d" % i
		    open(where, "wb").write(r.randbytes(r.choice((0, 1, 700, 5000, 70000, 300000))))
		open(top + "/pages", "wb").write(r.randbytes(128 * 16384))
		os.link(top + "/d/f01", top + "/link")
	PY
}

# Change a tenth of the pages and some files.
change() {
	python3 - "$1" "$2" <<-'PY'
		import os, random, sys
		r = random.Random(int(sys.argv[2]))
		with open(sys.argv[1] + "/pages", "r+b") as f:
		    for i in r.sample(range(128), 13):
		        f.seek(i * 16384)
		        f.write(r.randbytes(16384))
		for i in r.sample(range(60), 5):
		    where = sys.argv[1] + ("", "/d", "/d/e")[i % 3] + "/f%02d" % i
		    with open(where, "ab") as f:
		        f.write(r.randbytes(900))
	PY
}

# Three snapshots of a volume that changes; the last one's tree is in $T/original.
three() {
	add_volume db
	init_host
	fill "$H/volumes/db/_data"
	vs -q snapshot db
	for i in 2 3; do
		change "$H/volumes/db/_data" "$i"
		vs -q snapshot db
	done
	cp -a "$H/volumes/db/_data" "$T/original"
}

# damage_at FILE AT: a strict restore of db@3 gives all or nothing; a salvaging one all that is whole.
damage_at() {
	flip "$1" "$2"
	rm -rf "$T/out" "$T/whole"
	run timeout 20 "$VOLSNAP" restore db@3 --to "$T/whole"
	if [ "$status" = 0 ]; then
		same "$T/original" "$T/whole"
		return
	fi
	[ "$status" = 5 ]
	says "$(basename "$1")"
	[ ! -e "$T/whole" ]
	run timeout 20 "$VOLSNAP" restore db@3 --to "$T/out" --salvage
	if [ "$status" = 5 ]; then # ROOT, without which there is nothing
		says "$(basename "$1")"
		[ ! -e "$T/out" ]
		return
	fi
	[ "$status" = 3 ]
	says "lost"
	lost_any=1
	# What is there is right, and all that is not there was named.
	(cd "$T/out" && find . -type f) | while read -r p; do
		cmp "$T/out/$p" "$T/original/$p"
	done
	(cd "$T/original" && find . -type f) | while read -r p; do
		[ -e "$T/out/$p" ] || grep -qE -- "$p:|entries cannot be read" <<<"$output"
	done
	[ "$(find "$T/out" -type f | wc -l)" -gt 5 ]
}

@test "T25: a bit flipped anywhere: bounded time, the file is named, --salvage recovers the rest" {
	three
	lost_any=0
	for n in 1 3; do
		f=$(ls "$T"/store/s/*/*/000000000$n-*.vsf)
		size=$(stat -c %s "$f")
		cp "$f" "$T/keep"
		for k in $(seq 0 7); do
			damage_at "$f" $((size * (2 * k + 1) / 16))
			cat "$T/keep" >"$f"
		done
	done
	[ "$lost_any" = 1 ]
	expect 0 vs restore db@3 --to "$T/out2" --salvage
	same "$T/original" "$T/out2"
}

@test "T26: every restore of a single file equals that file of a full restore" {
	three
	for n in 1 2 3; do
		expect 0 vs restore "db@$n" --to "$T/full$n"
	done
	same "$T/original" "$T/full3"
	for n in 1 3; do
		(cd "$T/full$n" && find . -type f | sort) >"$T/names"
		while read -r p; do
			rm -rf "$T/one"
			vs -q restore "db@$n" --to "$T/one" --path "$p"
			cmp "$T/one/$p" "$T/full$n/$p"
			[ "$(find "$T/one" -type f | wc -l)" = 1 ]
			vs -q export "db@$n" --path "$p" -o "$T/exported"
			cmp "$T/exported" "$T/full$n/$p"
			rm "$T/exported"
		done <"$T/names"
	done
}

@test "verify names the paths that a bad segment costs, and those only" {
	three
	# Where the content lies that all three have.
	f=$(ls "$T"/store/s/*/*/0000000001-*.vsf)
	cp "$f" "$T/keep"
	flip "$f" 1000000
	expect 5 vs verify db@3
	says "segment"
	grep -o '\./[^:]*: content lost' <<<"$output" | sed 's/: content lost//' | sort >"$T/named"
	[ -s "$T/named" ]
	expect 3 vs restore db@3 --to "$T/out" --salvage
	(cd "$T/out" && find . -type f) | sort >"$T/there"
	(cd "$T/original" && find . -type f ! -name link) | sort >"$T/all"
	# A name of a hard link that is lost is not there either; its file is named.
	grep -vxFf "$T/there" "$T/all" | diff - "$T/named"
	expect 5 vs --json verify
	mv "$H/keys/reader.key" "$T/"
	expect 5 setsid "$VOLSNAP" verify db@3 </dev/null
	says "segment"
	says "db@3: snapshot 1, on which it rests, is damaged"
	cat "$T/keep" >"$f"
}

@test "a snapshot whose last part is cut is listed as damaged, and shown; others go on" {
	three
	f=$(ls "$T"/store/s/*/*/0000000003-*.vsf)
	cp "$f" "$T/keep"
	truncate -s -1 "$f"
	expect 5 vs list db
	says damaged
	expect 5 vs show db@3
	says "state     damaged"
	expect 5 vs --json show db@3
	says '"state": "damaged"'
	expect 5 vs restore db@3 --to "$T/out"
	# Its last part cannot be opened: there is nothing to salvage.
	expect 5 vs restore db@3 --to "$T/out" --salvage
	[ ! -e "$T/out" ]
	expect 0 vs restore db@latest --to "$T/out" --salvage
	expect 1 cmp -s "$T/out/pages" "$T/original/pages"
	cat "$T/keep" >"$f"
}

@test "without a snapshot on which others rest these are damaged, and salvaged by number" {
	three
	f=$(ls "$T"/store/s/*/*/0000000001-*.vsf)
	mv "$f" "$T/keep"
	expect 5 vs list db
	says "snapshot 1, on which it rests, is missing"
	expect 5 vs show db@3
	says "state     damaged"
	expect 6 vs restore db@latest --to "$T/out"
	says "--salvage"
	expect 5 vs restore db@3 --to "$T/out"
	[ ! -e "$T/out" ]
	expect 5 vs verify db@3
	says "snapshot 1, on which it rests, is missing"
	says "./d/f04: content lost"
	says "paths more"
	expect 3 vs restore db@3 --to "$T/out" --salvage
	says "./pages: content lost"
	[ ! -e "$T/out/pages" ]
	(cd "$T/out" && find . -type f) >"$T/there"
	[ -s "$T/there" ]
	while read -r p; do
		cmp "$T/out/$p" "$T/original/$p"
	done <"$T/there"
	mv "$T/keep" "$f"
	expect 0 vs restore db@3 --to "$T/out2"
	same "$T/original" "$T/out2"
}
