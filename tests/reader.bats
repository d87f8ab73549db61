#!/usr/bin/env bats
# The second reader itself: that it is right about the vectors, and refuses what must be refused.

setup() { HERE=$BATS_TEST_DIRNAME; }

@test "every value of every vector follows from its inputs by the second reader's primitives" {
	python3 "$HERE/vectors/make.py"
}

@test "a wrong value in the vectors is said" {
	t=$(mktemp -d)
	cp -r "$HERE/vectors" "$HERE/reader.py" "$t"
	sed -i '0,/"hex":"accad3/s//"hex":"accad4/' "$t/vectors/v1/primitives.json"
	run python3 "$t/vectors/make.py"
	rm -r "$t"
	[ "$status" = 1 ]
	[[ $output == *"b2 0: hex differs"* ]]
}

@test "the second reader refuses what no store of volsnap's has" {
	python3 "$HERE/reader_test.py"
}

@test "the second reader has at most 400 lines" {
	[ "$(wc -l <"$HERE/reader.py")" -le 400 ]
}
