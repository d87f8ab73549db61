#!/bin/sh
# The house rules that a compiler does not check: a folder only talks down, each outside library has
# one door, core neither prints nor exits.  Prints what breaks a rule; exit 1 if anything does.
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0

complain() {
	echo "layers: $1"
	bad=1
}

# LAYER may include only its own folder and ALLOWED.
layer() {
	name=$1
	shift
	allowed=$(echo "$name $*" | tr ' ' '|')
	found=$(grep -nE '^#include "' "core/$name"/*.[ch] 2>/dev/null |
		grep -vE "#include \"($allowed)/") && complain "$name may not include:
$found"
}

layer base
layer plan base
layer store base
layer source base
layer archive store base
layer job archive source store plan base

for p in cli agent net; do
	[ -d "$p" ] || continue
	others=$(echo "cli agent net" | tr ' ' '\n' | grep -v "^$p\$" | paste -sd'|')
	found=$(grep -nE "#include \"($others)/" "$p"/*.[ch]) && complain "$p may not include:
$found"
done

# HEADER (a pattern) only in FILES (a pattern).
door() {
	found=$(grep -lE "#include <$1>" core/*/*.[ch] cli/*.[ch] 2>/dev/null | grep -vE "^($2)\$") &&
		complain "<$1> outside its door: $found"
}

door 'sodium.*' 'core/archive/crypto\.c'
door 'zstd.*' 'core/archive/codec\.c'
door 'jansson\.h' 'cli/json\.c'
door 'ini\.h' 'core/plan/inifile\.c'
door 'archive(_entry)?\.h' 'core/source/(emit|meta|header|extract_child|entry_[a-z]+|dirs)\.[ch]'
door 'curl/.*' 'net/.*'

found=$(grep -nE '\b(printf|puts|perror|exit|abort)\(|fprintf\(std' core/*/*.c |
	grep -vE 'snprintf|asprintf|core/source/extract_child\.c') &&
	complain "core prints or exits:
$found"
found=$(grep -nE '\bsetlocale\(' core/*/*.c cli/*.c) && complain "setlocale: header bytes would
differ by locale: $found"

# Files stop at 500 lines, functions at 80.
for f in core/*/*.[ch] cli/*.[ch]; do
	n=$(wc -l <"$f")
	[ "$n" -le 500 ] || complain "$f has $n lines"
	awk -v f="$f" '
		/^[a-z].*[^;]$/ && !/^(struct|enum|union|static const|#|\/)/ { start = NR }
		/^}/ { if (start && NR - start > 80) { printf "layers: %s:%d: a function of %d lines\n",
			f, start, NR - start; exit 1 } start = 0 }' "$f" || bad=1
done

for b in build/release/volsnap build/release/volsnapd; do
	[ -x "$b" ] || continue
	ldd "$b" | grep -q libcurl && complain "$b links libcurl"
done
exit $bad
