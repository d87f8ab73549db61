#!/usr/bin/env bats
# Help, manual and example say the same.
load helper

@test "the manual has every command and every option that help has" {
	mandoc -Tascii "$ROOT/docs/man/volsnap.1" | col -b >"$T/man"
	for c in $(vs help | awk '/^  [a-z]/ {print $1}'); do
		grep -qE "\b$c\b" "$T/man" || { echo "no $c"; return 1; }
		for o in $(vs help "$c" | awk '/^  -/ {print $1}'); do
			grep -qF -- "$o" "$T/man" || { echo "$c: no $o"; return 1; }
		done
	done
}

@test "volsnap.conf(5) has every key of the example, and the example loads" {
	mandoc -Tascii "$ROOT/docs/man/volsnap.conf.5" | col -b >"$T/man"
	for k in $(grep -oE '^#?[a-z_]+ = ' "$ROOT/conf/volsnap.conf" | tr -d '#= ' | sort -u); do
		grep -qE "\b$k\b" "$T/man" || { echo "no $k"; return 1; }
	done
	expect 0 "$VOLSNAP" -c "$ROOT/conf/volsnap.conf" config check
	sed -E 's/^#([a-z_\[])/\1/' "$ROOT/conf/volsnap.conf" >"$T/all.conf"
	expect 0 "$VOLSNAP" -c "$T/all.conf" config check
}

@test "JSON of every command parses; names that are not UTF-8 come through" {
	add_volume db
	printf x >"$H/volumes/db/_data/$(printf 'bad\377name')"
	expect 0 vs init --paper "$T/paper" --yes
	for c in "snapshot db" list "show db@1 --files" verify "restore db@1 --to $T/out" "config check"; do
		# shellcheck disable=SC2086 # words
		vs --json $c 2>/dev/null | python3 -c 'import json,sys; json.load(sys.stdin)'
	done
	vs --json show db@1 --files | grep -q '"path_hex": "2e2f626164ff6e616d65"'
	[ -e "$T/out/$(printf 'bad\377name')" ]
}

@test "a terminal shows the recovery key once, and has a line typed back" {
	export VOLSNAP T
	python3 - <<-'PY'
		import os, pty, re, subprocess, sys
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp(os.environ["VOLSNAP"], ["volsnap", "init"])
		text = b""
		while b"back: " not in text:
		    text += os.read(fd, 4096)
		lines = re.findall(rb"^[0-9A-Z]{2,5} [0-9A-Z]{2,5} [0-9A-Z*~$=]\r?$", text, re.M)
		assert len(lines) == 6, text
		n = int(re.search(rb"line (\d)", text).group(1))
		os.write(fd, lines[n - 1].strip() + b"\n")
		try:
		    while os.read(fd, 4096):
		        pass
		except OSError:
		    pass
		assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
		open(os.environ["T"] + "/paper", "wb").write(b"\n".join(l.strip() for l in lines))
	PY
	make_host other
	expect 0 vs key import --key "$T/paper"
}

@test "T32: cut, lengthened, swapped and altered files are damage, named, exit 5" {
	add_volume db
	dd if=/dev/urandom of="$H/volumes/db/_data/r" bs=100k count=2 status=none
	init_host
	vs -q snapshot db
	vs -q snapshot db --full
	one=$(ls "$T"/store/s/*/*/0000000001-*.vsf)
	two=$(ls "$T"/store/s/*/*/0000000002-*.vsf)
	cp "$two" "$T/keep"
	for damage in 'truncate -s -1' 'truncate -s -16384' 'truncate -s -4096' 'truncate -s +1' 'truncate -s 0' 'truncate -s +16384'; do
		$damage "$two"
		expect 5 vs verify db@2
		says "$(basename "$two")"
		expect 5 vs restore db@2 --to "$T/out"
		[ ! -e "$T/out" ]
		cat "$T/keep" >"$two"
	done
	cat "$one" >"$two"
	expect 5 vs verify db@2
	cat "$T/keep" >"$two"
	# One segment's byte: the file, the segment and the snapshot are named.
	flip "$two" 60000
	expect 5 vs verify db@2
	says "db@2"
	says "segment"
	expect 5 vs restore db@2 --to "$T/out"
	[ ! -e "$T/out" ]
	cat "$T/keep" >"$two"
	expect 0 vs verify
	# The header's first copy: still restores, but verify says so.
	flip "$two" 300
	expect 5 vs verify db@2
	says "copy"
	expect 0 vs restore db@2 --to "$T/out"
	cat "$T/keep" >"$two"
}

# closed IGNORED command...: run with a closed pipe as standard output, SIGPIPE ignored or not;
# prints what it said on stderr and its end as Python tells it.
closed() {
	python3 - "$@" <<-'PY'
		import os, subprocess, sys
		r, w = os.pipe()
		os.close(r)
		p = subprocess.run(sys.argv[2:], stdout=w, stderr=subprocess.PIPE, text=True,
		                   restore_signals=sys.argv[1] == "no")
		print(p.stderr + f"end {p.returncode}")
	PY
}

@test "a reader that has seen enough ends a list quietly, and never an export" {
	add_volume db
	(cd "$H/volumes/db/_data" && touch $(seq 3000))
	init_host
	vs -q snapshot db
	for c in "show db@1 --files" list "--json list" "config show" help; do
		# shellcheck disable=SC2086 # words
		expect 0 closed no "$VOLSNAP" $c
		[ "$output" = "end -13" ] || { echo "$c: $output"; return 1; }
		# shellcheck disable=SC2086 # words
		expect 0 closed yes "$VOLSNAP" $c
		says "standard output: Broken pipe"
		says "end 1"
	done
	expect 0 closed no "$VOLSNAP" export db@1
	says "Broken pipe"
	says "end 1"
	{ vs show db@1 --files 2>"$T/err" || echo $? >"$T/code"; } | head -1 >"$T/line"
	[ "$(cat "$T/code")" = 141 ]
	[ ! -s "$T/err" ]
	expect 1 sh -c "$VOLSNAP list >/dev/full"
	says "No space left"
	# What was found out before comes first.
	cp "$T"/store/s/*/*/*.vsf "$T/keep"
	truncate -s -1 "$T"/store/s/*/*/*.vsf
	expect 0 closed no "$VOLSNAP" list
	says "end 5"
	cat "$T/keep" >"$(echo "$T"/store/s/*/*/*.vsf)"
}
