#!/usr/bin/env bats
# Looking closer: ls, cat, find, diff and stats against what other programs say of plain copies.
load helper

# Every shape of entry, in the volume db.
odd_volume() {
	add_volume db
	D=$H/volumes/db/_data
	"$ROOT/tests/fixtures/oddities.sh" "$D"
	rm "$D/shapes/socket"
}

# seen DIR: path, type, mode, owner, size, time of each entry below DIR, as lstat has them.
seen() {
	python3 - "$1" <<-'PY'
		import os, stat, sys
		root = os.fsencode(sys.argv[1])
		kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo",
		         stat.S_IFCHR: "char device", stat.S_IFBLK: "block device"}
		def walk(path):
		    for name in sorted(os.listdir(path)):
		        at = os.path.join(path, name)
		        s = os.lstat(at)
		        kind = kinds[stat.S_IFMT(s.st_mode)]
		        size = s.st_size if kind == "file" else 0
		        print(os.path.relpath(at, root).hex(), kind, oct(stat.S_IMODE(s.st_mode)), s.st_uid, s.st_gid, size, s.st_mtime_ns)
		        if kind == "directory":
		            walk(at)
		walk(root)
	PY
}

# told: the same out of the JSON of ls, hard links under the type that their file has.
told() {
	python3 -c 'if True:
		import json, sys
		kinds = {}
		for f in json.load(sys.stdin)["files"]:
		    path = bytes.fromhex(f["path_hex"]) if "path_hex" in f else f["path"].encode()
		    target = bytes.fromhex(f["target_hex"]) if "target_hex" in f else f.get("target", "").encode()
		    kinds[path] = kind = kinds[target] if f["type"] == "link" else f["type"]
		    print(path[2:].hex(), kind, oct(f["mode"]), f["uid"], f["gid"], f["size"], f["mtime"] * 10**9 + f["mtime_ns"])'
}

@test "ls --recursive has what lstat has, of every shape of entry" {
	odd_volume
	init_host
	vs -q snapshot db || [ $? = 3 ]
	seen "$D" >"$T/want"
	vs --json ls db@1 --recursive | told >"$T/got"
	[ "$(wc -l <"$T/want")" -gt 200 ]
	diff "$T/want" "$T/got"
}

@test "ls of a directory has the names that ls has, in its order" {
	odd_volume
	init_host
	vs -q snapshot db || [ $? = 3 ]
	for d in . links links/a owners shapes/order shapes/empty-directory; do
		(cd "$D/$d" && LC_ALL=C ls -A1 --indicator-style=none) >"$T/want"
		vs ls db@1 "$d" | sed -E 's/^.{10}[ +] *[0-9]+ +[0-9]+ +.{10}  [-0-9]{10} [0-9:]{5}  //; s/ -> .*//' >"$T/got"
		diff "$T/want" "$T/got"
	done
	[ "$(vs ls db@1 acls | grep -cE '^-[^ ]{9}\+ ')" = 5 ]
	# A name that is no directory is listed itself, as typed from the root.
	expect 0 vs ls db@1 /links//m-first/
	says "  ./links/m-first"
	expect 6 vs ls db@1 links/none
	says "links/none: nothing of that path"
	expect 6 vs ls db@1 links/m
	expect 2 vs ls db@1 links/../links
	expect 2 vs ls
	expect 6 vs ls db@7
}

@test "cat gives every file byte by byte, holes and second names too" {
	odd_volume
	truncate -s 64M "$D/sparse/nine-gigabytes"
	init_host
	vs -q snapshot db || [ $? = 3 ]
	cd "$D"
	n=0
	while IFS= read -r -d '' f; do
		vs cat db@1 -- "$f" | cmp - "$f"
		n=$((n + 1))
	done < <(find links sizes sparse names shapes flags -type f -print0)
	[ "$n" -gt 90 ]
	expect 2 vs cat db@1 links
	says "./links: is a directory"
	expect 2 vs cat db@1 links/symlink
	says "symbolic link to target"
	expect 2 vs cat db@1 links/b/symlink
	expect 2 vs cat db@1 links/fifo
	expect 2 vs cat db@1 /
	expect 6 vs cat db@1 links/none
	says "./links/none: nothing of that path"
	expect 2 vs cat db@1
}

@test "what stops reading ends cat and ls without a word" {
	add_volume db
	truncate -s 300M "$H/volumes/db/_data/zeros"
	init_host
	vs -q snapshot db
	[ "$( (vs cat db@1 zeros 2>&1 >&3 | sed 's/^/said: /' >&2) 3>&1 | head -c 10 | wc -c)" = 10 ]
	run bash -c "'$VOLSNAP' cat db@1 zeros | head -c 5 | wc -c"
	[ "$output" = 5 ]
}

# A tree, and what may happen to one.
before_and_after() {
	add_volume db
	D=$H/volumes/db/_data
	mkdir -p "$D"/{same,gone,kinds,order/a}
	for f in same/file gone/a gone/b kinds/{grows,touched,sneaky,mode,owner,attr,to-dir,to-link} order/{a/x,a-b,a.b,ab}; do
		echo "$f" >"$D/$f"
	done
	mkdir "$D/kinds/from-dir"
	ln -s one "$D/kinds/link"
	ln "$D/kinds/grows" "$D/kinds/second"
	ln "$D/same/file" "$D/same/loses-first"
	ln "$D/same/file" "$D/same/third"
	find "$D" -exec touch -h -d '2020-02-02 02:02:02.5' {} +
	init_host
	vs -q snapshot db
	cp -a "$D" "$T/before"
	echo more >>"$D/kinds/grows"
	touch -d '2021-01-01' "$D/kinds/touched"
	echo KINDS/SNEAKY >"$D/kinds/sneaky"
	touch -d '2020-02-02 02:02:02.5' "$D/kinds/sneaky"
	chmod 4711 "$D/kinds/mode"
	chown 7:9 "$D/kinds/owner"
	setfattr -n trusted.x -v new "$D/kinds/attr"
	rm -r "$D/gone" "$D/kinds/to-dir" "$D/kinds/from-dir" "$D/kinds/to-link"
	mkdir "$D/kinds/to-dir"
	echo file >"$D/kinds/from-dir"
	ln -s nowhere "$D/kinds/to-link"
	ln -sfn two "$D/kinds/link"
	mv "$D/order/a-b" "$D/order/a,b"
	mkdir -p "$D/new/deep"
	echo new >"$D/new/deep/file"
	vs -q snapshot db
	cp -a "$D" "$T/after"
}

# of LETTERS: the paths with one of them in the last diff.
of() { sed -nE "s/^[$1] (\.[^ ]*).*/\1/p" "$T/diff"; }

@test "diff names what came and went as find does, in walk order" {
	before_and_after
	vs diff db@1 @2 >"$T/diff"
	(cd "$T/before" && find . | sort) >"$T/b"
	(cd "$T/after" && find . | sort) >"$T/a"
	diff <(comm -13 "$T/b" "$T/a") <(of + | sort)
	diff <(comm -23 "$T/b" "$T/a") <(of - | sort)
	# order/a comes before order/a,b, what is below it too
	diff <(of +-Mm) <(of +-Mm | tr / '\1' | LC_ALL=C sort | tr '\1' /)
	grep -Fx 'M ./kinds/grows  (size, mtime)' "$T/diff"
	grep -Fx 'M ./kinds/second  (size, mtime)' "$T/diff"
	grep -Fx 'M ./kinds/touched  (mtime)' "$T/diff"
	grep -Fx 'm ./kinds/mode  (mode)' "$T/diff"
	grep -Fx 'm ./kinds/owner  (owner)' "$T/diff"
	grep -Fx 'm ./kinds/attr  (xattr)' "$T/diff"
	grep -E '^M ./kinds/to-dir  \(type, ' "$T/diff"
	grep -E '^M ./kinds/from-dir  \(type, ' "$T/diff"
	grep -E '^M ./kinds/to-link  \(type, ' "$T/diff"
	grep -Fx 'M ./kinds/link  (mtime, target)' "$T/diff"
	output=$(head -n -1 "$T/diff")
	lacks sneaky
	lacks same
	tail -1 "$T/diff" | grep -F "$(of + | wc -l) added"
	tail -1 "$T/diff" | grep -F "$(of M | wc -l) modified"
}

@test "diff --content finds what diff -r finds, no more and no less" {
	before_and_after
	vs diff --content db@1 db@2 >"$T/diff"
	grep -Fx 'M ./kinds/sneaky  (content)' "$T/diff"
	grep -Fx 'm ./kinds/touched  (mtime)' "$T/diff"
	LC_ALL=C diff -rq --no-dereference "$T/before" "$T/after" |
		sed -nE 's/^Files .* and .*\/after\/(.*) differ$/.\/\1/p; s/^Symbolic links .* and .*\/after\/(.*) differ$/.\/\1/p;
			s/^File .* while file .*\/after\/([^ ]*) is .*/.\/\1/p' | sort >"$T/want"
	[ "$(wc -l <"$T/want")" = 7 ]
	diff "$T/want" <(of M | sort)
}

@test "diff of a snapshot with itself, of one name and two; a name that lost its first" {
	before_and_after
	expect 0 vs diff db@2 db@latest
	says "db@2 -> db@2: 0 added, 0 removed, 0 modified, 0 metadata"
	rm "$D/same/file"
	touch -d '2020-02-02 02:02:02.5' "$D/same"
	vs -q snapshot db
	vs diff db@2 db >"$T/diff"
	diff <(printf '%s\n' '- ./same/file' 'm ./same/loses-first  (link)' 'm ./same/third  (link)') <(head -n -1 "$T/diff")
	expect 0 vs diff --content db@2 @3
	says "0 modified, 2 metadata"
	expect 2 vs diff db@1
	expect 2 vs diff db@1 @
	expect 6 vs diff db@1 @9
	expect 6 vs diff none@1 @1
	[ -z "$(vs -q diff db@1 @1)" ]
}

@test "find tells which snapshots have which version" {
	add_volume db
	add_volume other
	D=$H/volumes/db/_data
	mkdir -p "$D/conf.d" "$H/volumes/other/_data"
	echo other >"$H/volumes/other/_data/a.conf"
	init_host
	# 1 2: one; 3: two; 4: none; 5: two again, and a second name
	echo one >"$D/conf.d/a.conf"
	touch -d '2020-01-01 00:00' "$D/conf.d/a.conf"
	vs -q snapshot db
	vs -q snapshot db
	echo two! >"$D/conf.d/a.conf"
	touch -d '2020-01-02 00:00' "$D/conf.d/a.conf"
	vs -q snapshot db
	mv "$D/conf.d/a.conf" "$T/kept"
	touch "$D/x"
	vs -q snapshot db
	mv "$T/kept" "$D/conf.d/a.conf"
	ln "$D/conf.d/a.conf" "$D/z.conf"
	vs -q snapshot --all
	vs find db '*.conf' | tr -s ' ' >"$T/got"
	diff - "$T/got" <<-'EOF'
		SNAPSHOTS SIZE MODIFIED PATH
		5 5 B 2020-01-02 00:00 ./conf.d/a.conf
		5 5 B 2020-01-02 00:00 ./z.conf
		3 5 B 2020-01-02 00:00 ./conf.d/a.conf
		1..2 4 B 2020-01-01 00:00 ./conf.d/a.conf
	EOF
	# As it is shown it can be given; a slash counts from the root; ** goes down.
	for p in ./conf.d/a.conf /conf.d/a.conf 'conf.d/*' 'conf.d/**'; do
		[ "$(vs find db "$p" | wc -l)" = 4 ]
	done
	[ "$(vs find db 'conf*/' | wc -l)" -ge 2 ]
	expect 0 vs find db /a.conf
	says "nothing matches /a.conf in 5 snapshots"
	[ "$(vs find --all a.conf | awk '{print $1}' | tr '\n' ' ')" = "VOLUME db db db other " ]
	expect 2 vs find db
	expect 2 vs find db@1 x
	expect 2 vs find db '[x'
	says '[x: a "["'
	expect 6 vs find none x
}

@test "find passes over what is damaged, names it, and ends with 5" {
	add_volume db
	touch "$H/volumes/db/_data/a"
	init_host
	for _ in 1 2 3; do vs -q snapshot db --full; done
	two=$(ls "$T"/store/s/*/*/0000000002-*.vsf)
	cp "$two" "$T/keep"
	truncate -s -1 "$two"
	expect 5 vs find db a
	says "db@2: not searched"
	says "1..3"
	expect 5 vs stats db
	says "3 snapshots"
	cat "$T/keep" >"$two"
	expect 0 vs find db a
}

@test "find refuses more versions than it may keep" {
	add_volume db
	python3 - "$H/volumes/db/_data" <<-'PY'
		import os, sys
		for i in range(200):
		    os.mkdir("%s/%0200d" % (sys.argv[1], i))
		    for k in range(90):
		        open("%s/%0200d/%0100d" % (sys.argv[1], i, k), "w").close()
	PY
	init_host
	vs -q snapshot db
	expect 2 vs find db '**'
	says "choose a narrower pattern"
	lacks "nothing matches"
	[ "$(vs find db "$(printf '%0200d' 7)/*" | wc -l)" = 91 ]
}

@test "stats adds up to what lies in the store; without a key it says less" {
	add_volume db
	D=$H/volumes/db/_data
	yes compressible | head -c 3000000 >"$D/text"
	head -c 1000000 /dev/urandom >"$D/noise"
	truncate -s 50M "$D/hole"
	init_host
	vs -q snapshot db
	vs -q snapshot db
	vs --json stats >"$T/stats"
	python3 - "$T/stats" "$(stat -c %s "$T"/store/s/*/*/* | awk '{s += $1} END {print s}')" <<-'PY'
		import json, sys
		d = json.load(open(sys.argv[1]))
		assert d["total"]["stored"] == int(sys.argv[2]), d["total"]
		assert d["total"]["bytes"] == sum(s["bytes"] for s in d["snapshots"]) == 2 * (4000000 + (50 << 20))
		first = d["snapshots"][0]
		assert first["content"] == 4000000 and first["dependencies"] == []
		packed = sum(r["packed"] for r in first["records"].values())
		assert packed == first["new_bytes"] <= first["stored"]
		assert 0.99 < first["dedup"] < 1.5
		assert 3 < first["compression"] < 4.5, first
		(dep,) = d["snapshots"][1]["dependencies"]
		assert (dep["seq"], dep["id"]) == (1, first["id"])
		assert 1000000 < dep["live"] <= dep["new_bytes"] == first["new_bytes"]
	PY
	expect 0 vs stats db
	says "2 snapshots, 107.6 MiB in"
	[ "$(vs stats db | awk 'length > 80' | wc -l)" = 0 ]
	expect 0 vs stats db@2
	says "RESTS ON"
	[ "$(vs stats | grep -c ' $')" = 0 ]
	rm "$H/keys/reader.key"
	expect 0 vs stats
	says "no reading key"
	expect 0 vs -q --json stats
	lacks dedup
	says '"live"'
	expect 7 setsid "$VOLSNAP" ls db@1 </dev/null
	expect 7 setsid "$VOLSNAP" find db x </dev/null
	expect 7 setsid "$VOLSNAP" diff db@1 @2 </dev/null
	expect 7 setsid "$VOLSNAP" cat db@1 text </dev/null
	vs cat db@1 text --key "$T/paper" | cmp - "$D/text"
	expect 2 vs stats a b
	expect 6 vs stats none
}

@test "JSON of each is one document, also of names that are not UTF-8" {
	add_volume db
	printf x >"$H/volumes/db/_data/$(printf 'bad\377name')"
	init_host
	vs -q snapshot db
	printf xy >"$H/volumes/db/_data/$(printf 'bad\377name')"
	vs -q snapshot db
	for c in "ls db@1" "ls db@1 --recursive /" "find db bad*" "find db none" "find --all bad*" "diff db@1 @2" \
		"diff db@1 @1" "diff --content db@1 @2" "stats" "stats db" "stats db@1" "stats --quick"; do
		# shellcheck disable=SC2086 # words
		(set -f && vs --json $c) | python3 -c 'import json,sys; json.load(sys.stdin)'
	done
	for c in "ls db@1" "find db bad*" "diff db@1 @2"; do
		# shellcheck disable=SC2086 # words
		(set -f && vs --json $c) | grep -q '"path_hex": "2e2f626164ff6e616d65"'
	done
}

@test "another host's snapshots are looked at by HOST/NAME" {
	add_volume db
	echo content >"$H/volumes/db/_data/file"
	init_host
	vs -q snapshot db
	make_host newhost
	vs -q key import --key "$T/paper"
	expect 0 vs ls host/db@1
	says "file"
	[ "$(vs cat host/db@1 file)" = content ]
	expect 0 vs find host/db file
	expect 0 vs find --all file
	says "host/db"
	expect 0 vs diff host/db@1 @1
	expect 0 vs stats host/db
	expect 6 vs ls db@1
}
