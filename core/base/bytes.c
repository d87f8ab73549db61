#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int bytes_reserve(struct bytes *b, size_t extra, struct err *e)
{
	size_t need, cap;
	uint8_t *p;

	if (__builtin_add_overflow(b->len, extra, &need))
		return err_memory(e);
	if (need <= b->cap)
		return 0;
	cap = b->cap < 256 ? 256 : b->cap;
	while (cap < need)
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			return err_memory(e);
	p = realloc(b->p, cap);
	if (!p)
		return err_memory(e);
	b->p = p;
	b->cap = cap;
	return 0;
}

int bytes_append(struct bytes *b, const void *p, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	if (bytes_reserve(b, n, e) < 0)
		return -1;
	memcpy(b->p + b->len, p, n);
	b->len += n;
	return 0;
}

int bytes_zero(struct bytes *b, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	if (bytes_reserve(b, n, e) < 0)
		return -1;
	memset(b->p + b->len, 0, n);
	b->len += n;
	return 0;
}

void bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes)BYTES_EMPTY;
}
