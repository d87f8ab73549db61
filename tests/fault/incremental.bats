#!/usr/bin/env bats
# Incremental snapshots under everything that can go wrong.  Without VOLSNAP_LONG a sample of each.

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	VOLSNAP=${VOLSNAP:-$ROOT/build/release/volsnap}
	ASAN=$ROOT/build/asan/volsnap
	LONG=${VOLSNAP_LONG:-}
}

show() { sed 's/^/# /' >&3; }

# fault NAME ARG...: a program of this directory; its words go to the report.
fault() {
	local name=$1
	shift
	python3 "$ROOT/tests/fault/$name.py" "$VOLSNAP" "$@" | show
	[ "${PIPESTATUS[0]}" = 0 ]
}

@test "random model: edits, lost caches and states, forks, hidden archives, kills: every snapshot restores (T11 T13 T46 T47)" {
	[ -x "$ASAN" ] || make -s -C "$ROOT" FLAVOUR=asan all
	seconds=20
	[ -z "$LONG" ] || seconds=1200
	fault model --asan "$ASAN" --seconds $seconds
}

@test "every bit of the tip cache and of the tip flipped: a full snapshot or an exact one, never a wrong one (T46)" {
	if [ -n "$LONG" ]; then
		fault flips --seconds 1200
	else
		fault flips --sample 100
	fi
}

@test "a writer through a mapping, on ext4 and tmpfs: the next snapshot after it stops equals the file" {
	words=(--rounds 5 --seconds 1)
	# Longer than writeback and the window.
	[ -z "$LONG" ] || words=(--rounds 50 --seconds 150)
	fault mapped "${words[@]}"
}

@test "T3: an allocation or mapping that fails never leaves a bad snapshot" {
	words=(--sample 20)
	[ -z "$LONG" ] || words=()
	fault inject "${words[@]}" malloc sticky mmap
}

@test "T46: no space at each write, and a small full file system: the next run works unaided" {
	words=(--sample 20)
	[ -z "$LONG" ] || words=()
	fault inject "${words[@]}" enospc full
}

@test "T51: a write that is short, a sync or rename that fails: never committed by mistake" {
	words=(--sample 10)
	[ -z "$LONG" ] || words=()
	fault inject "${words[@]}" short eio
}

@test "500 hourly snapshots of a database: space, dependencies, extents as simulated; the last restores in 2.5x the first's time" {
	# The sample is small, and too short for weeks.
	words=(--snapshots 30 --mib 64)
	[ -z "$LONG" ] || words=(--snapshots 500)
	python3 "$ROOT/tests/bench/history.py" "$VOLSNAP" "${words[@]}" | show
	[ "${PIPESTATUS[0]}" = 0 ]
}
