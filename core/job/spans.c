#include "job/spans.h"

#include <string.h>

#include "archive/crypto.h"
#include "archive/reader.h"
#include "base/err.h"
#include "base/interrupt.h"
#include "job/linked.h"

int spans_begin(struct spans *c, struct reader *r, const struct linked_entry *en,
		  struct err *e)
{
	*c = (struct spans){ .reader = r,
			       .file = en->file,
			       .runs = pax_runs(en->file) };
	c->more_runs = pax_run(&c->runs, &c->run_at, &c->run_left);
	return reader_body_from(r, en->body_at, en->body_len, e);
}

/* Data of the run that begins, or goes on, here; one span of body may hold several runs.
 */
static int open_data(struct spans *c, struct err *e)
{
	int end =
		c->body_left > 0 ? 0 : reader_body(c->reader, &c->body, &c->body_left, e);

	if (end == 1)
		return err_set(e, ERR_DAMAGED, "%s: less content than its size",
			       c->file->path);
	if (end < 0)
		return -1;
	c->p = c->body;
	c->n = c->body_left < c->run_left ? c->body_left : c->run_left;
	return 0;
}

int spans_open(struct spans *c, struct err *e)
{
	if (c->n > 0)
		return 0;
	if (interrupt_check(e) < 0)
		return -1;
	while (c->more_runs && c->run_left == 0)
		c->more_runs = pax_run(&c->runs, &c->run_at, &c->run_left);
	c->p = NULL;
	if (c->more_runs && c->at == c->run_at)
		return open_data(c, e);
	c->n = (c->more_runs ? c->run_at : c->file->size) - c->at;
	return c->n == 0;
}

void spans_use(struct spans *c, uint64_t n)
{
	c->at += n;
	c->n -= n;
	if (!c->p)
		return;
	c->p += n;
	c->body += n;
	c->body_left -= (size_t)n;
	c->run_at += n;
	c->run_left -= n;
}

static bool same_bytes(const uint8_t *a, const uint8_t *b, size_t n)
{
	if (a && b)
		return memcmp(a, b, n) == 0;
	return crypto_is_zero(a ? a : b, n);
}

int spans_compare(struct spans *a, struct spans *b, struct err *e)
{
	for (;;) {
		int end_a = spans_open(a, e),
		    end_b = end_a < 0 ? -1 : spans_open(b, e);
		uint64_t n = a->n < b->n ? a->n : b->n;

		if (end_a < 0 || end_b < 0)
			return -1;
		if (end_a || end_b)
			return end_a != end_b;
		if ((a->p || b->p) && !same_bytes(a->p, b->p, (size_t)n))
			return 1;
		spans_use(a, n);
		spans_use(b, n);
	}
}
