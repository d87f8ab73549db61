/* A second look at the records of an extended header, whose form is known to be good. */
#include <string.h>

#include "source/pax.h"
#include "source/pax_parts.h"

enum { BLOCK = 512, AT_SIZE = 124, LEN_SIZE = 12, AT_TYPE = 156 };

static uint64_t octal(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v * 8 + (uint64_t)(p[i] - '0');
	return v;
}

struct pax_attrs pax_attrs(const uint8_t *header, size_t n)
{
	struct pax_attrs it = { .p = header, .end = header };
	uint64_t len;

	if (n < BLOCK || header[AT_TYPE] != 'x')
		return it;
	len = octal(header + AT_SIZE, LEN_SIZE);
	it.p = header + BLOCK;
	it.end = it.p + (len < n - BLOCK ? (size_t)len : n - BLOCK);
	return it;
}

static bool kind_of(const uint8_t *key, size_t n, enum pax_attr_kind *kind)
{
	static const struct {
		const char *prefix;
		enum pax_attr_kind kind;
	} table[] = { { "SCHILY.xattr.", PAX_ATTR_XATTR },
		      { "SCHILY.acl.", PAX_ATTR_ACL },
		      { "SCHILY.fflags=", PAX_ATTR_FLAGS } };

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		size_t len = strlen(table[i].prefix);

		if (n < len || memcmp(key, table[i].prefix, len) != 0)
			continue;
		*kind = table[i].kind;
		return true;
	}
	return false;
}

bool pax_attr(struct pax_attrs *it, enum pax_attr_kind *kind, const uint8_t **text,
	      size_t *n)
{
	while (it->p < it->end) {
		const uint8_t *start = it->p, *key = it->p;
		uint64_t len;

		if (!pax_map_number(&key, it->end, &len) || key == it->end ||
		    len > (uint64_t)(it->end - start) ||
		    len < (uint64_t)(key - start) + 2)
			break;
		key++;
		it->p = start + len;
		if (!kind_of(key, (size_t)(it->p - key), kind))
			continue;
		*text = key;
		*n = (size_t)(it->p - key) - 1;
		return true;
	}
	return false;
}
