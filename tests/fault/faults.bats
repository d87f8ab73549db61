#!/usr/bin/env bats
# Kills, power cuts, memory.  Without VOLSNAP_LONG a sample of each.

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	VOLSNAP=${VOLSNAP:-$ROOT/build/release/volsnap}
	LONG=${VOLSNAP_LONG:-}
}

show() { sed 's/^/# /' >&3; }

@test "killed at every system call: the next run works, nothing acknowledged is lost (T7 T10)" {
	# A sample: 75 points of each of four commands.
	sample=75
	[ -z "$LONG" ] || sample=0
	python3 "$ROOT/tests/fault/kill.py" "$VOLSNAP" --sample $sample |
		show
	[ "${PIPESTATUS[0]}" = 0 ]
}

@test "power cut after success: what was fsynced is enough" {
	python3 "$ROOT/tests/fault/fsync.py" "$VOLSNAP" | show
	[ "${PIPESTATUS[0]}" = 0 ]
}

@test "the power cut test fails a volsnap that does not fsync directories" {
	t=$(mktemp -d)
	cp -a "$ROOT/core" "$ROOT/cli" "$ROOT/Makefile" "$t"
	mkdir -p "$t/build" && cp -a "$ROOT/build/release" "$t/build/"
	sed -i 's/if (file_sync_dir(s->dirfd, dir, e) < 0 || /if (/' "$t/core/store/store_part.c"
	[ "$(sha256sum <"$t/core/store/store_part.c")" != "$(sha256sum <"$ROOT/core/store/store_part.c")" ]
	make -s -C "$t" >/dev/null
	run python3 "$ROOT/tests/fault/fsync.py" "$t/build/release/volsnap"
	rm -rf "$t"
	echo "$output" | show
	[ "$status" = 1 ]
	[[ $output == *"is lost"* ]]
}

@test "memory, also of second snapshots: VmHWM <= 16 MiB, PSS of all <= 24 MiB" {
	cases="1k random64m files50k links20k sparse100g"
	[ -z "$LONG" ] || cases="1k database random20g sparse100g million links"
	# shellcheck disable=SC2086 # words
	python3 "$ROOT/tests/fault/memory.py" "$VOLSNAP" $cases | show
	[ "${PIPESTATUS[0]}" = 0 ]
}
