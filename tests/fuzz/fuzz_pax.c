/* clang -fsanitize=fuzzer,address: pax_parse on anything, with checksums put right so
 * that the fuzzer gets past them; what it accepts must keep its promises. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "source/pax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_sum(uint8_t *b)
{
	unsigned int sum = 0;

	memset(b + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += b[i];
	for (int i = 5; i >= 0; i--, sum >>= 3)
		b[148 + i] = (uint8_t)('0' + (sum & 7));
	b[154] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t offset, length, end = 0, total = 0;
	size_t n = size / 512 * 512, runs = 0;
	uint8_t *copy = malloc(n + 1);
	static struct pax pax;
	struct pax_runs it;
	struct err e;

	memcpy(copy, data, n);
	for (size_t at = 0; at < n; at += 512)
		if (memcmp(copy + at + 257, "ustar", 6) == 0)
			set_sum(copy + at);
	if (pax_parse(copy, n, &pax, &e) == 0) {
		it = pax_runs(&pax);
		while (pax_run(&it, &offset, &length)) {
			if (offset < end || length > pax.size ||
			    offset > pax.size - length)
				abort();
			end = offset + length;
			total += length;
			runs++;
		}
		if (total != pax.body_len || (pax.sparse && runs != pax.n_runs))
			abort();
		if (pax.path[0] != '.' || strstr(pax.path, "/../") ||
		    strstr(pax.path, "//"))
			abort();
	}
	free(copy);
	return 0;
}
