#!/bin/bash
# make check and make faults: builds every flavour, runs every suite, counts TAP lines, and ends with
# one line "N passed, N failed, N skipped".
#
#     check.sh check     all tests; of the long suites a sample
#     check.sh faults    the long suites whole
set -u
cd "$(dirname "$0")/.." || exit 2
suite=${1:-check}
tap=$(mktemp -d)
trap 'rm -rf "$tap"' EXIT
passed=0 failed=0 skipped=0
skipped_line='^(not )?ok .*# skip'

# note NAME CODE: one test that is a command.
note() {
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
		echo "ok $1"
	else
		failed=$((failed + 1))
		echo "not ok $1"
	fi
}

run() {
	local name=$1
	shift
	"$@" >"$tap/out" 2>&1
	local code=$?
	[ $code = 0 ] || cat "$tap/out"
	note "$name" $code
}

# count NAME FILE CODE: a program that wrote TAP to FILE and ended with CODE.
count() {
	local ok bad skip
	# cmocka writes "not ok N # SKIP", bats "ok N name # skip why"
	skip=$(grep -ciE "$skipped_line" "$2")
	ok=$(grep -viE "$skipped_line" "$2" | grep -cE '^ok ')
	bad=$(grep -viE "$skipped_line" "$2" | grep -cE '^not ok ')
	# where nothing could be counted, nothing was passed
	[[ $ok/$bad/$skip/$3 =~ ^[0-9]+/[0-9]+/[0-9]+/[0-9]+$ ]] || { ok=0 bad=1 skip=0; }
	grep -iE "$skipped_line" "$2" && [ "${CI:-}" = true ] && bad=$((bad + skip)) && skip=0
	if [ "$3" != 0 ] && [ "$bad" = 0 ]; then
		bad=1
	fi
	if [ "$bad" != 0 ] || [ $((ok + skip)) = 0 ]; then
		cat "$2"
		[ "$bad" != 0 ] || bad=1
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	echo "$1: $ok passed, $bad failed, $skip skipped"
}

flavour() {
	echo "== $1"
	make -s "${@:2}" FLAVOUR="$1" flags
}

# second FILE: what the second reader read of the stores that a suite left, and the time it took.
second() {
	awk '/^# second reader: [0-9]/ { stores += $4; snapshots += $6; bytes += $8; s += $11 }
		END { if (stores) printf "  second reader: %d stores, %d snapshots, %.0f equal bytes, %.0f s\n",
			stores, snapshots, bytes, s }' "$1"
}

# ---- suites: as many at a time as there are processors, counted in the order in which they began ----

names=()

# begin NAME COMMAND...: a program that writes TAP.
begin() {
	local n=${#names[@]}
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
		wait -n
	done
	names+=("$1")
	shift
	{
		"$@" >"$tap/$n.out" 2>"$tap/$n.err"
		echo $? >"$tap/$n.code"
	} &
}

# All that began come to their end.
finish() {
	local n code
	wait
	for n in "${!names[@]}"; do
		code=$(cat "$tap/$n.code")
		if [ "$code" = 77 ]; then
			echo "ok 1 # skip all of it: $(cat "$tap/$n.err")" >"$tap/$n.out"
			code=0
		fi
		[ "$code" = 0 ] || cat "$tap/$n.err"
		count "${names[n]}" "$tap/$n.out" "$code"
		grep -E '^# ' "$tap/$n.out" | sed 's/^# /  /'
		second "$tap/$n.out"
	done
	names=()
}

unit() {
	local t
	export CMOCKA_MESSAGE_OUTPUT=TAP
	for t in build/"$1"/unit/test_*; do
		[ ! -x "$t" ] || begin "unit/$1/$(basename "$t")" "$t"
	done
}

scenario() {
	local f
	for f in "$@"; do
		[ ! -e "$f" ] || begin "$f" bats --tap "$f"
	done
}

jobs=$(nproc)
if [ "$suite" = check ]; then
	flavour release
	run "build gcc, release" make -s -j"$jobs" all unit
	flavour clang CC=clang
	run "build clang" make -s -j"$jobs" CC=clang FLAVOUR=clang all
	flavour asan
	run "build with sanitizers" make -s -j"$jobs" FLAVOUR=asan all unit
	flavour analyze
	run "gcc -fanalyzer" make -s -j"$jobs" FLAVOUR=analyze objects
	run "shellcheck" shellcheck tests/*.sh tests/fixtures/*.sh .ci/run
	run "layers" tests/layers.sh
	# the longest first
	scenario tests/fault/*.bats tests/*.bats tests/scenario/*.bats
	unit release
	unit asan
	finish
else
	run "build gcc, release" make -s -j"$jobs" all unit
	run "build with sanitizers" make -s -j"$jobs" FLAVOUR=asan all
	export VOLSNAP_LONG=1
	scenario tests/fault/*.bats tests/scenario/05-*.bats tests/scenario/07-*.bats
	finish
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
