#!/usr/bin/env bats
# A volume that holds, or lies in, the directories that volsnap itself writes.
load helper

# make_bind [LINE...]: the bind all, $T/all, which holds the store.
make_bind() {
	mkdir -p "$T/all/www" "$T/all/backups"
	echo x >"$T/all/www/page"
	sed -i "s|^location = .*|location = $T/all/backups/volsnap|" "$H/conf"
	printf '[bind all]\npath = %s\n' "$T/all" >>"$H/conf"
	printf '%s\n' "$@" >>"$H/conf"
	init_host
}

@test "a source that holds the store is refused by file and line, with the exclude that helps" {
	make_bind
	expect 4 vs snapshot all
	says "$H/conf:12: all: $T/all holds the store $T/all/backups/volsnap"
	says "exclude = /backups/volsnap"
	[ -z "$(find "$T/all/backups/volsnap/s" "$T/all/backups/volsnap/tmp" -type f)" ]
	echo "exclude = /backups/volsnap" >>"$H/conf"
	expect 0 vs snapshot all
	expect 0 vs show all@latest --files
	says "./backups"
	lacks "volsnap-store"
}

@test "an exclude of a directory above the store covers it; of a name elsewhere does not" {
	make_bind "exclude = back*/"
	expect 0 vs snapshot all
	sed -i "s|^exclude = .*|exclude = /volsnap|" "$H/conf"
	expect 4 vs snapshot all
}

@test "a store on another file system is not entered with one_file_system" {
	mkdir -p "$T/all/backups"
	mount -t tmpfs none "$T/all/backups" || skip "no mount here"
	make_bind "one_file_system = yes"
	run vs snapshot all
	umount -l "$T/all/backups"
	[ "$status" = 0 ]
}

@test "a store that a link or a bind mount leads to is found all the same" {
	make_bind
	ln -s "$T/all" "$T/link"
	sed -i "s|^location = .*|location = $T/link/backups/volsnap|" "$H/conf"
	expect 4 vs snapshot all
	says "exclude = /backups/volsnap"
	mv "$T/all/backups" "$T/elsewhere"
	mkdir "$T/all/mnt"
	sed -i "s|^location = .*|location = $T/elsewhere/volsnap|" "$H/conf"
	mount --bind "$T/elsewhere/volsnap" "$T/all/mnt" || skip "no mount here"
	run vs snapshot all
	umount -l "$T/all/mnt"
	[ "$status" = 4 ]
	says "./mnt"
	says "exclude = /mnt"
	expect 0 vs --json list
	says '"snapshots": []'
}

@test "a source in the store, and one that holds the state, are refused" {
	init_host
	printf '[bind in]\npath = %s\n[bind host]\npath = %s\n' "$T/store/s" "$H" >>"$H/conf"
	expect 4 vs snapshot in
	says "lies in the store"
	expect 4 vs snapshot host
	says "exclude = /state"
	printf '[bind one]\npath = %s\n' "$T/store/volsnap-store" >>"$H/conf"
	expect 4 vs snapshot one
	# What cannot be snapshotted is told before what was left out elsewhere.
	add_volume db 'exclude = x'
	expect 4 vs snapshot --all
	says "db@1"
}

@test "a restore never moves the store, the state or the keys away" {
	make_bind "exclude = /backups"
	vs -q snapshot all
	expect 9 vs restore all@latest --replace
	says "holds the store"
	says "--to"
	[ -e "$T/all/backups/volsnap/volsnap-store" ]
	[ ! -e "$T/.volsnap-previous.all" ]
	expect 9 vs restore all@latest --replace --to "$H"
	says "holds the"
	expect 0 vs restore all@latest --to "$T/out"
}
