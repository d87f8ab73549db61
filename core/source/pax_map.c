/* Sparse maps: a count, then offset and length of each run of data, decimal, a line each,
 * padded with zeros to a multiple of 512.  A run of length 0 says where the file ends. */
#include "source/pax_parts.h"

#include <string.h>

#include "base/err.h"
#include "source/pax.h"

enum { BLOCK = 512 };

bool pax_map_number(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
	const uint8_t *at = *p;
	uint64_t v = 0;

	for (; at < end && *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*at - '0'), &v))
			return false;
	if (at == *p)
		return false;
	*p = at;
	*out = v;
	return true;
}

/* A number and the end of its line. */
static bool map_line(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
	if (!pax_map_number(p, end, out) || *p == end || **p != '\n')
		return false;
	(*p)++;
	return true;
}

/* One run of the map: after the last one, within the file. */
static int map_run(const uint8_t **p, const uint8_t *end, uint64_t *at, struct pax *out,
		   struct err *e)
{
	uint64_t offset, length, stop;

	if (!map_line(p, end, &offset) || !map_line(p, end, &length))
		return err_set(e, ERR_DAMAGED, "sparse map: not a number");
	if (offset < *at || __builtin_add_overflow(offset, length, &stop) ||
	    stop > out->size)
		return err_set(e, ERR_DAMAGED,
			       "sparse map: runs overlap or leave the file");
	*at = stop;
	out->body_len += length;
	if (length > 0)
		out->n_runs++;
	return 0;
}

int pax_map_parse(const uint8_t *p, size_t n, struct pax *out, size_t *used,
		  struct err *e)
{
	const uint8_t *end = p + n, *at = p;
	uint64_t count, reached = 0;

	if (!map_line(&at, end, &count))
		return err_set(e, ERR_DAMAGED, "sparse map: not a number");
	out->map = at;
	out->n_runs = 0;
	out->body_len = 0;
	for (uint64_t i = 0; i < count; i++)
		if (map_run(&at, end, &reached, out, e) < 0)
			return -1;
	out->map_len = (size_t)(at - out->map);
	for (; (at - p) % BLOCK != 0; at++)
		if (at == end || *at != 0)
			return err_set(e, ERR_DAMAGED, "sparse map: bad padding");
	*used = (size_t)(at - p);
	return 0;
}

struct pax_runs pax_runs(const struct pax *p) { return (struct pax_runs){ .pax = p }; }

bool pax_run(struct pax_runs *it, uint64_t *offset, uint64_t *length)
{
	const struct pax *pax = it->pax;
	const uint8_t *p, *end;

	if (!pax->sparse) {
		*offset = 0;
		*length = pax->size;
		return it->next++ == 0 && pax->type == PAX_FILE && pax->size > 0;
	}
	p = pax->map + it->at;
	end = pax->map + pax->map_len;
	while (p < end && map_line(&p, end, offset) && map_line(&p, end, length)) {
		it->at = (size_t)(p - pax->map);
		if (*length == 0)
			continue;
		it->next++;
		return true;
	}
	return false;
}
