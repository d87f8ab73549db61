#!/usr/bin/env bats
# Incremental snapshots: what a change costs, counted in bytes of the store; metadata; zeros; a real database.
load helper

setup() {
	T=$(mktemp -d -p /var/tmp)
	make_host
	# A file is trusted unread when its times are older than this.
	printf '[defaults]\nracy_window = 1s\n' >>"$H/conf"
	SAMPLE=(--sample)
	[ -z "${VOLSNAP_LONG:-}" ] || SAMPLE=()
}

show() { sed 's/^/# /' >&3; }

counted() {
	python3 "$ROOT/tests/counted.py" "$VOLSNAP" "${SAMPLE[@]}" "$@" | show
	[ "${PIPESTATUS[0]}" = 0 ]
}

@test "pages of a 256 MiB InnoDB file changed in place: 1.3x what they compress to, and 64 KiB; T47 nothing changed" {
	counted pages
}

@test "a row inserted into the 256 MiB table by its server" {
	counted row
}

@test "a log appended: 256 KiB; T47 nothing changed: 64 KiB" {
	counted log
}

@test "1 KiB inserted near the start of 100 MB: 256 KiB" {
	counted insert
}

@test "one of many files changed, renamed, its directory renamed, T11 chmodded: 256 KiB each; all touched: headers; T47 nothing opened" {
	counted files
}
