/* The vectors: every case of every group in the file. */
#include "vectors_kit.h"

#include "archive/crypto.h"

static int setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	return crypto_init(&e) < 0 ? -1 : vectors_load();
}

static int teardown(void **state)
{
	(void)state;
	vectors_drop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_varints),
		cmocka_unit_test(vectors_hashes),
		cmocka_unit_test(vectors_seals),
		cmocka_unit_test(vectors_paper),
		cmocka_unit_test(vectors_key_files),
		cmocka_unit_test(vectors_derived),
		cmocka_unit_test(vectors_streams),
		cmocka_unit_test(vectors_stream_keys),
		cmocka_unit_test(vectors_padme),
		cmocka_unit_test(vectors_file_keys),
		cmocka_unit_test(vectors_stanzas),
		cmocka_unit_test(vectors_headers),
		cmocka_unit_test(vectors_segments),
		cmocka_unit_test(vectors_summaries),
		cmocka_unit_test(vectors_chains),
		cmocka_unit_test(vectors_signatures),
		cmocka_unit_test(vectors_trailers),
		cmocka_unit_test(vectors_descriptors),
		cmocka_unit_test(vectors_frames),
		cmocka_unit_test(vectors_nodes),
		cmocka_unit_test(vectors_roots),
		cmocka_unit_test(vectors_all_read), /* after all that read */
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
