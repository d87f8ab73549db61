#!/bin/sh
# make demo: snapshots a real tree, loses it, restores it, compares.
set -eu
cd "$(dirname "$0")/.."
volsnap=$PWD/build/release/volsnap
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
do_it() {
	say "$@"
	"$@"
}

mkdir -p "$work/volumes/web/_data"
cp -a /usr/include /usr/share/doc "$work/volumes/web/_data/" 2>/dev/null || true
cp -a "$work/volumes/web/_data" "$work/original"
cat >"$work/volsnap.conf" <<CONF
[host]
name = demo
[store]
location = $work/store
[keys]
directory = $work/keys
[state]
directory = $work/state
[engine]
kind = none
volumes_dir = $work/volumes
[volume web]
CONF
export VOLSNAP_CONFIG="$work/volsnap.conf"
PATH=$(dirname "$volsnap"):$PATH
do_it volsnap init --paper "$work/recovery.txt" --yes
do_it volsnap snapshot web
do_it volsnap list
say rm -rf the volume
rm -rf "$work/volumes/web"
do_it volsnap restore web@latest
do_it volsnap verify
do_it diff -r --no-dereference "$work/original" "$work/volumes/web/_data"
printf '\nThe restored volume equals the original.\n'
