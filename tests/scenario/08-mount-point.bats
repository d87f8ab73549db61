#!/usr/bin/env bats
# A volume whose root is a mount point: it cannot be renamed, so its children are swapped.
load helper

# mount_volume: the volume db on a file system of its own, with a snapshot of it.
mount_volume() {
	add_volume db
	d=$H/volumes/db/_data
	truncate -s 32M "$T/image"
	mkfs.ext4 -q "$T/image"
	mount -o loop "$T/image" "$d" 2>/dev/null || mount -t tmpfs none "$d" || skip "no mount here"
	mkdir "$d/dir" "$d/dir/deep"
	echo one >"$d/dir/one"
	echo two >"$d/two"
	ln "$d/two" "$d/dir/again"
	ln -s two "$d/link"
	touch -d 2001-02-03 "$d/dir/deep" "$d/dir"
	chmod 2751 "$d"
	chown 123:45 "$d"
	touch -d '2002-03-04 05:06:07.123456789' "$d"
	cp -a "$d" "$T/original"
	rm -rf "$T/original/lost+found"
	touch -r "$d" "$T/original"
	init_host
	vs -q snapshot db
}

# restored: what is in the mount point, but for what is ours, is the snapshot.
restored() {
	rm -rf "$T/now"
	cp -a "$d" "$T/now"
	rm -rf "$T/now/lost+found" "$T/now/.volsnap-previous"
	touch -r "$d" "$T/now"
	same "$T/original" "$T/now"
}

# empty_volume: as engines leave it.
empty_volume() {
	find "$d" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
}

@test "restore into an empty mount point" {
	mount_volume
	empty_volume
	chmod 700 "$d"
	expect 0 vs restore db@1
	restored
	mountpoint -q "$d"
	[ -z "$(find "$d" -maxdepth 1 -name '.volsnap*')" ]
	expect 0 vs restore db@1 --if-empty
	says "left alone"
	expect 0 vs snapshot db
	expect 0 vs verify
}

@test "--replace keeps what was there in the mount point; --discard-previous deletes it" {
	mount_volume
	echo later >"$d/two"
	rm "$d/link"
	mkdir "$d/new"
	echo new >"$d/new/file"
	expect 9 vs restore db@1
	says "--replace"
	[ "$(cat "$d/two")" = later ]
	expect 0 vs restore db@1 --replace
	restored
	[ "$(cat "$d/.volsnap-previous/two")" = later ]
	[ "$(cat "$d/.volsnap-previous/new/file")" = new ]
	[ "$(stat -c %a "$d/.volsnap-previous")" = 2751 ]
	# What is kept is no part of the volume.
	expect 0 vs snapshot db
	expect 0 vs show db@2 --files
	lacks ".volsnap-previous"
	expect 9 vs restore db@1 --replace
	says "--discard-previous"
	expect 0 vs restore db --discard-previous
	[ ! -e "$d/.volsnap-previous" ]
	expect 6 vs restore db --discard-previous
	expect 0 vs restore db@2 --replace
	restored
}

@test "a mount in the mount point stops --replace before anything is moved" {
	mount_volume
	mkdir "$d/inner"
	mount -t tmpfs none "$d/inner"
	run vs restore db@1 --replace
	umount "$d/inner"
	[ "$status" = 9 ]
	says "inner"
	[ "$(cat "$d/two")" = two ]
	[ ! -e "$d/.volsnap-previous" ]
}

# kill_at CALL N: restore --replace, killed at its Nth CALL; 1: it came to its end.
kill_at() {
	strace -f -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" \
		taskset -c 0 "$VOLSNAP" -q restore db@1 --replace 2>/dev/null && return 1
	return 0
}

@test "killed between: whatever comes next completes it, and never sees half of each" {
	mount_volume
	for call in renameat unlinkat fsync mkdirat; do
		for n in $(seq 1 40); do
			echo later >"$d/two"
			echo new >"$d/new"
			kill_at $call "$n" || break
			journal=no
			[ ! -e "$d/.volsnap-journal" ] || journal=yes
			case $((n % 3)) in
			0) expect 0 vs restore db@1 --if-empty ;;
			1) expect 0 vs snapshot db ;;
			2) run vs restore db --discard-previous ;;
			esac
			echo "$call $n: journal $journal"
			[ ! -e "$d/.volsnap-journal" ]
			if [ -e "$d/new" ]; then
				[ $journal = no ]
				[ "$(cat "$d/two" "$d/new" "$d/dir/one")" = $'later\nnew\none' ]
			else
				restored
				[ $((n % 3)) = 2 ] || [ "$(cat "$d/.volsnap-previous/new")" = new ]
			fi
			# The snapshot in between is of the one or of the other.
			if [ $((n % 3)) = 1 ]; then
				rm -rf "$T/taken" "$T/now"
				expect 0 vs restore db@latest --to "$T/taken"
				cp -a "$d" "$T/now"
				rm -rf "$T/now/lost+found" "$T/now"/.volsnap* "$T/taken/lost+found"
				touch -r "$d" "$T/now" "$T/taken"
				same "$T/now" "$T/taken"
			fi
			run vs restore db --discard-previous
			if [ -e "$d/new" ]; then
				expect 0 vs restore db@1 --replace
				restored
				expect 0 vs restore db --discard-previous
			fi
		done
		echo "$call: $n"
		[ "$n" -gt 1 ]
	done
}

@test "a restore that is running is left alone" {
	mount_volume
	mkdir "$H/plain"
	echo x >"$H/plain/x"
	printf '[bind plain]\npath = %s\n' "$H/plain" >>"$H/conf"
	vs -q snapshot plain
	for volume in db plain; do
		at=renameat
		[ $volume = db ] || at=renameat2
		# The first such call puts the new tree in place, or begins to.
		strace -f -o /dev/null -e trace=$at -e inject=$at:delay_enter=4000000:when=1 \
			"$VOLSNAP" -q restore $volume@1 --replace &
		first=$!
		for _ in $(seq 60); do
			compgen -G "$d/.volsnap-new" >/dev/null && [ $volume = db ] && break
			compgen -G "$H/.volsnap-new.plain.*" >/dev/null && break
			sleep 0.05
		done
		sleep 1
		expect 9 vs restore $volume@1 --replace
		says "is running"
		expect 9 vs restore $volume@1 --if-empty
		if [ $volume = db ]; then
			expect 9 vs snapshot db
			says "is running"
		else
			expect 0 vs snapshot plain
		fi
		wait $first
		expect 0 vs restore $volume --discard-previous
	done
	restored
}
