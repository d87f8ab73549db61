#include "job/content.h"

#include <stdbool.h>

#include "archive/reader.h"
#include "base/err.h"
#include "source/pax.h"

/* The run of data that a place of the body lies in. */
struct place {
	const struct pax *pax;
	struct pax_runs it;
	uint64_t body, offset, length; /* where it begins in body and file */
};

/* Go to the run that holds AT of the body.  Places mostly go up. */
static bool place_find(struct place *x, uint64_t at)
{
	if (at < x->body) {
		x->it = pax_runs(x->pax);
		x->body = x->length = 0;
	}
	while (at - x->body >= x->length) {
		x->body += x->length;
		if (!pax_run(&x->it, &x->offset, &x->length)) {
			x->length = 0;
			return false;
		}
	}
	return true;
}

static int send_piece(struct place *x, uint64_t at, const uint8_t *p, size_t n, content_fn *fn,
		      void *ctx, struct err *e)
{
	while (n > 0) {
		uint64_t skip, left;
		size_t now;

		if (!place_find(x, at))
			return err_set(e, ERR_DAMAGED, "%s: more content than its size",
				       x->pax->path);
		skip = at - x->body;
		left = x->length - skip;
		now = n < left ? n : (size_t)left;
		if (fn(ctx, x->offset + skip, p, now, e) < 0)
			return -1;
		at += now;
		p += now;
		n -= now;
	}
	return 0;
}

int content_send(struct reader *r, const struct pax *p, enum content_order order, content_fn *fn,
		 void *ctx, struct err *e)
{
	struct place x = { .pax = p, .it = pax_runs(p) };
	const uint8_t *data;
	uint64_t at = 0;
	size_t n = 0;
	int end = 0;

	if (p->type != PAX_FILE)
		return 0;
	for (; end == 0; at += n) {
		end = order == CONTENT_ANY_ORDER ? reader_body_any(r, &at, &data, &n, e)
						 : reader_body(r, &data, &n, e);
		if (end == 0 && send_piece(&x, at, data, n, fn, ctx, e) < 0)
			return -1;
	}
	if (end < 0)
		return reader_goes_on(r, e) ? 2 : -1;
	return 0;
}
