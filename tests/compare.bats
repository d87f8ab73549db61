#!/usr/bin/env bats
# compare.py must be able to fail: each case seeds one difference in a fresh copy of a tree and expects that attribute, at that
# path, and nothing else. Without this, every test that ends in `compare.py A B` proves nothing.

bats_require_minimum_version 1.5.0

compare() {
	"${COMPARE:-$BATS_TEST_DIRNAME/compare.py}" "$@"
}

# Copy a tree with all it has. cp keeps all but flags; setting those sets ctime only.
copy() {
	local path flags
	cp -a --preserve=all --sparse=always "$1" "$2"
	while read -r path flags; do
		chattr "+$flags" "$2/$path"
	done <<<"${3-}"
}

flagged=$'flags/nodump d\nflags/noatime A\nflags/append a\nflags/immutable i'

setup_file() {
	[ "$(id -u)" = 0 ] || skip "must be root"
	export BASE=$BATS_FILE_TMPDIR/base
	mkdir -p "$BASE"/{dir,sub/deep,flags}
	cd "$BASE" || return
	echo 'some text' >file
	echo 'again' >sub/deep/other
	head -c 700000 /dev/urandom >noise
	: >empty
	touch $'odd\xff\n name'
	ln -s target symlink
	setfattr -h -n trusted.link -v one symlink
	mkfifo fifo
	mknod null c 1 3
	mknod disk b 7 200
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
	echo linked >one
	ln one two
	ln one sub/three
	echo 'not linked' >alone
	truncate -s 1M sparse
	printf 'data' | dd of=sparse bs=4096 seek=100 conv=notrunc status=none
	fallocate -l 64K reserved
	setfattr -n user.one -v 'value' file
	setfattr -n trusted.two -v 'value' dir
	setcap cap_net_raw+ep noise
	setfacl -m u:1234:rw file
	setfacl -d -m u:1234:rwx dir
	setfacl -m u:1234:rx,m::--- .
	touch flags/{nodump,noatime,append,immutable,none}
	chattr +d flags/nodump
	chattr +A flags/noatime
	chattr +a flags/append
	chattr +i flags/immutable
	chmod 0000 sub/deep/other
	chown 4000000000:998 sub/deep
	touch -d '2200-01-02 03:04:05.123456789Z' file
	touch -d '1901-12-24 18:00:00.000000001Z' dir
}

teardown_file() {
	chattr -R -f -i -a "$BATS_FILE_TMPDIR" || :
}

setup() {
	COPY=$BATS_TEST_TMPDIR/copy
	copy "$BASE" "$COPY" "$flagged"
}

teardown() {
	chattr -R -f -i -a "$COPY" || :
}

# Change something and put back what that changes besides: the times of the directories named.
keeping() {
	local dirs=() dir
	while [ "$1" != -- ]; do
		dirs+=("$1")
		shift
	done
	shift
	"$@"
	for dir in "${dirs[@]}"; do
		touch -h -r "$BASE/$dir" "$COPY/$dir"
	done
}

# expect LINE...: exactly these differences (patterns), their number in the last line, exit 1.
expect() {
	local at=0 want
	run --separate-stderr compare "$BASE" "$COPY"
	echo "$output"
	[ "$status" -eq 1 ]
	# shellcheck disable=SC2154 # set by run
	[ "${#lines[@]}" -eq $(($# + 1)) ]
	for want in "$@"; do
		# shellcheck disable=SC2053 # a pattern
		[[ ${lines[at]} == $want ]]
		at=$((at + 1))
	done
	[[ ${lines[at]} == "$# differences in "*" entries" ]]
}

@test "a faithful copy has no differences" {
	run --separate-stderr compare "$BASE" "$COPY"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "0 differences in 25 entries" ]
}

@test "a socket of the original may be missing, one of the copy may not be there" {
	keeping . -- rm "$COPY/socket"
	run compare "$BASE" "$COPY"
	[ "$status" -eq 0 ]
	# seen from the copy, allocated space that was read is data where it has a hole
	run compare --allow hole:reserved "$COPY" "$BASE"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "name: socket: absent != socket" ]]
}

@test "mode" {
	chmod 0755 "$COPY/alone"
	expect 'mode: alone: 0644 != 0755'
}

@test "mode: suid and sticky bits count" {
	chmod 1000 "$COPY/sub/deep/other"
	chmod 4644 "$COPY/alone"
	expect 'mode: alone: 0644 != 4644' 'mode: sub/deep/other: 0000 != 1000'
}

@test "mode of the root directory" {
	# sticky: any other change would show in the ACL too
	chmod +t "$COPY"
	expect 'mode: .: 0705 != 1705'
}

@test "owner" {
	chown 1 "$COPY/alone"
	expect 'uid: alone: 0 != 1'
}

@test "owner of a symbolic link, and a large one" {
	chown -h 7 "$COPY/symlink"
	chown 4000000001 "$COPY/sub/deep"
	expect 'uid: sub/deep: 4000000000 != 4000000001' 'uid: symlink: 0 != 7'
}

@test "group" {
	chgrp 1 "$COPY/fifo"
	expect 'gid: fifo: 0 != 1'
}

@test "mtime by one nanosecond" {
	touch -d '2200-01-02 03:04:05.123456788Z' "$COPY/file"
	expect 'mtime: file: 7258215845.123456789 != 7258215845.123456788'
}

@test "mtime of a directory, a symbolic link, and the root" {
	touch -d '1901-12-24 18:00:00.000000002Z' "$COPY/dir"
	touch -h -d '2000-01-01' "$COPY/symlink"
	touch -d '2000-01-01' "$COPY"
	expect 'mtime: .: *' 'mtime: dir: -*.000000001 != -*.000000002' 'mtime: symlink: *'
}

@test "size" {
	keeping file -- truncate -s 9 "$COPY/file"
	expect 'size: file: 10 != 9'
}

@test "content: one byte of the same size and time" {
	printf 'S' | keeping file -- dd of="$COPY/file" conv=notrunc status=none
	expect 'content: file: 0x73 at 0 != 0x53'
}

@test "content: one bit far in" {
	keeping noise -- python3 -c '
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(fd, bytes([os.pread(fd, 1, 699999)[0] ^ 1]), 699999)' "$COPY/noise"
	setcap cap_net_raw+ep "$COPY/noise"
	expect 'content: noise: * at 699999 != *'
}

@test "content: data where the original has a hole" {
	printf 'x' | keeping sparse -- dd of="$COPY/sparse" bs=4096 seek=20 conv=notrunc status=none
	expect 'hole: sparse: hole at 81920 != data up to 86016' 'content: sparse: 0x00 at 81920 != 0x78'
}

@test "content: a hole where the original has data" {
	keeping sparse -- fallocate -p -o 409600 -l 4096 "$COPY/sparse"
	expect 'content: sparse: 0x64 at 409600 != 0x00'
}

@test "hole filled with zeros" {
	keeping sparse -- dd if=/dev/zero of="$COPY/sparse" bs=4096 seek=200 count=1 conv=notrunc status=none
	expect 'hole: sparse: hole at 819200 != data up to 823296'
}

@test "hole: all gone" {
	cat "$BASE/sparse" >"$COPY/sparse"
	touch -r "$BASE/sparse" "$COPY/sparse"
	expect 'hole: sparse: *'
}

@test "hole: allocated but unwritten space may come back written" {
	dd if=/dev/zero of="$COPY/reserved" bs=64K count=1 status=none
	touch -r "$BASE/reserved" "$COPY/reserved"
	# out of the page cache it reads as a hole
	sync "$BASE/reserved"
	dd if="$BASE/reserved" iflag=nocache count=0 status=none
	run compare "$BASE" "$COPY"
	[ "$status" -eq 0 ]
}

@test "xattr: value" {
	setfattr -n user.one -v 'other' "$COPY/file"
	expect 'xattr: file: user.one="value" != user.one="other"'
}

@test "xattr: missing, added, in every namespace" {
	setfattr -x trusted.two "$COPY/dir"
	setcap -r "$COPY/noise"
	setfattr -n security.more -v 1 "$COPY/empty"
	setfattr -n user.root -v '' "$COPY"
	expect 'xattr: .: user.root=absent != user.root=""' 'xattr: dir: trusted.two="value" != trusted.two=absent' \
		'xattr: empty: security.more=absent != security.more="1"' 'xattr: noise: security.capability=* != security.capability=absent'
}

@test "xattr of a symbolic link" {
	setfattr -h -n trusted.link -v two "$COPY/symlink"
	expect 'xattr: symlink: trusted.link="one" != trusted.link="two"'
}

@test "acl: access" {
	setfacl -m u:1234:r,m::rw "$COPY/file"
	expect 'acl: file: access:*u:1234:rw-* != access:*u:1234:r--*'
}

@test "acl: default" {
	setfacl -k "$COPY/dir"
	expect 'acl: dir: default:* != default:absent'
}

@test "acl of the root, behind an equal mode" {
	setfacl -m u:1235:rx,m::--- "$COPY"
	expect 'acl: .: access:* != access:*u:1235:r-x*'
}

@test "flag: each of the four, lost" {
	chattr -i "$COPY/flags/immutable"
	chattr -a "$COPY/flags/append"
	chattr -d "$COPY/flags/nodump"
	chattr -A "$COPY/flags/noatime"
	expect 'flag: flags/append: a != -' 'flag: flags/immutable: i != -' 'flag: flags/noatime: A != -' 'flag: flags/nodump: d != -'
	run compare --ignore-flags "$BASE" "$COPY"
	[ "$status" -eq 0 ]
}

@test "flag of a directory, added" {
	chattr +d "$COPY/sub/deep"
	expect 'flag: sub/deep: - != d'
}

@test "hard link broken" {
	keeping . -- cp -a --remove-destination "$COPY/one" "$COPY/two"
	expect 'link: two: same as one != a file of its own'
}

@test "hard link added" {
	echo linked >"$BATS_TEST_TMPDIR/x"
	keeping . -- ln -f "$COPY/empty" "$COPY/flags/none"
	touch -r "$BASE/flags" "$COPY/flags"
	touch -r "$BASE/empty" "$COPY/empty"
	run compare --allow mtime:flags/none "$BASE" "$COPY"
	echo "$output"
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "link: flags/none: a file of its own != same as empty" ]
	[[ ${lines[1]} == "1 differences in "* ]]
}

@test "target of a symbolic link" {
	ln -sfn tarGet "$COPY/symlink"
	setfattr -h -n trusted.link -v one "$COPY/symlink"
	keeping symlink . -- true
	expect 'target: symlink: target != tarGet'
}

@test "name: another byte" {
	keeping . -- mv "$COPY/"$'odd\xff\n name' "$COPY/"$'odd\xfe\n name'
	expect 'name: odd\\xfe\\x0a\\x20name: absent != file' 'name: odd\\xff\\x0a\\x20name: file != absent'
}

@test "name: missing and added" {
	keeping . sub -- rm -r "$COPY/sub/deep"
	keeping dir -- touch "$COPY/dir/new"
	expect 'name: dir/new: absent != file' 'name: sub/deep: directory != absent'
}

@test "type" {
	keeping . -- rm "$COPY/empty"
	keeping . -- mkfifo "$COPY/empty"
	expect 'type: empty: file != fifo'
}

@test "device number: minor, major, kind" {
	rm "$COPY"/{null,disk}
	mknod "$COPY/null" c 1 5
	mknod "$COPY/disk" b 8 200
	keeping . null disk -- true
	expect 'device: disk: 7,200 != 8,200' 'device: null: 1,3 != 1,5'
	rm "$COPY/null"
	mknod "$COPY/null" b 1 3
	keeping . null disk -- true
	expect 'device: disk: 7,200 != 8,200' 'type: null: char != block'
}

@test "what cannot be read is an error, not equal" {
	# a hand in the way of every read: the copy's file system goes away under it
	run --separate-stderr python3 - "$BASE" "$COPY" "${COMPARE:-$BATS_TEST_DIRNAME/compare.py}" <<'PY'
import os, runpy, sys
real = os.preadv
def preadv(fd, bufs, at):
    if os.readlink("/proc/self/fd/%d" % fd).endswith("/copy/noise") and at > 0:
        raise OSError(5, "Input/output error")
    return real(fd, bufs, at)
os.preadv = preadv
sys.argv = [sys.argv[3], sys.argv[1], sys.argv[2]]
runpy.run_path(sys.argv[0], run_name="__main__")
PY
	echo "$output"
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "error: noise: readable != Input/output error" ]
}

@test "--allow takes one attribute, for all or for some paths" {
	chmod 0755 "$COPY/alone"
	chown 1 "$COPY/alone"
	run compare --allow mode "$BASE" "$COPY"
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "uid: alone: 0 != 1" ]
	run compare --allow mode:al* --allow uid:alone "$BASE" "$COPY"
	[ "$status" -eq 0 ]
	run compare --allow mode:x* --allow uid "$BASE" "$COPY"
	[ "$status" -eq 1 ]
}

@test "wrong usage is exit 2" {
	run compare "$BASE"
	[ "$status" -eq 2 ]
	run compare "$BASE" "$COPY/nowhere"
	[ "$status" -eq 2 ]
	run compare "$BASE" "$COPY" --allow colour
	[ "$status" -eq 2 ]
}
