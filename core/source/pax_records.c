/* Extended header records.  The keys are those that libarchive's pax writer uses for us;
 * an unknown key, or a key twice, is refused: what one reader passes over, another might
 * obey. */
#include "source/pax_parts.h"

#include <string.h>

#include "base/err.h"

struct value {
	const uint8_t *p;
	size_t n;
};

static bool value_is(const struct value *v, const char *text)
{
	return v->n == strlen(text) && memcmp(v->p, text, v->n) == 0;
}

static bool value_number(const struct value *v, uint64_t *out)
{
	const uint8_t *p = v->p;

	return pax_map_number(&p, v->p + v->n, out) && p == v->p + v->n;
}

static bool read_number(const struct value *v, bool *seen, uint64_t *out)
{
	if (*seen)
		return false;
	*seen = true;
	return value_number(v, out);
}

/* Seconds, maybe negative, and a fraction.  The sign is that of both, so -5.25 is 750 ms
 * after -6. */
static bool value_time(const struct value *v, int64_t *sec, uint32_t *ns)
{
	const uint8_t *p = v->p, *end = v->p + v->n;
	bool negative = p < end && *p == '-';
	uint64_t whole;
	uint32_t unit = 100000000;

	p += negative;
	if (!pax_map_number(&p, end, &whole) || whole > INT64_MAX)
		return false;
	*sec = negative ? -(int64_t)whole : (int64_t)whole;
	*ns = 0;
	if (p < end && *p++ != '.')
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
		*ns += (uint32_t)(*p - '0') * unit;
	if (negative && *ns > 0) {
		*sec -= 1;
		*ns = 1000000000 - *ns;
	}
	return p == end;
}

static bool read_time(const struct value *v, struct pax_records *r)
{
	if (r->has_mtime)
		return false;
	r->has_mtime = true;
	return value_time(v, &r->mtime, &r->mtime_ns);
}

static bool read_text(const struct value *v, const uint8_t **p, size_t *n)
{
	if (*p || memchr(v->p, 0, v->n))
		return false;
	*p = v->p;
	*n = v->n;
	return true;
}

/* "1" of the major, "0" of the minor version of the sparse format. */
static bool read_constant(const struct value *v, bool *seen, const char *text)
{
	bool first = !*seen;

	*seen = true;
	return first && value_is(v, text);
}

static bool read_gnu(const struct value *key, const struct value *v,
		     struct pax_records *r)
{
	if (value_is(key, "GNU.sparse.major"))
		return read_constant(v, &r->sparse_major, "1");
	if (value_is(key, "GNU.sparse.minor"))
		return read_constant(v, &r->sparse_minor, "0");
	if (value_is(key, "GNU.sparse.name"))
		return read_text(v, &r->sparse_name, &r->sparse_name_len);
	if (value_is(key, "GNU.sparse.realsize"))
		return read_number(v, &r->has_real, &r->real_size);
	return false;
}

static bool key_starts(const struct value *key, const char *text)
{
	return key->n > strlen(text) && memcmp(key->p, text, strlen(text)) == 0;
}

static bool mark(bool *seen)
{
	bool first = !*seen;

	*seen = true;
	return first;
}

/* The mask in "user::rw-,group::r--,mask::rw-,...", as libarchive writes an ACL. */
static void read_mask(const struct value *v, struct pax_records *r)
{
	static const char word[] = "mask::";
	const size_t n = sizeof(word) - 1;

	for (size_t i = 0; i + n + 3 <= v->n; i++) {
		const uint8_t *bits = v->p + i + n;

		if ((i > 0 && v->p[i - 1] != ',') || memcmp(v->p + i, word, n) != 0)
			continue;
		r->has_mask = true;
		r->mask = (bits[0] == 'r' ? 4U : 0) | (bits[1] == 'w' ? 2U : 0) |
			  (bits[2] == 'x' ? 1U : 0);
		return;
	}
}

static bool read_schily(const struct value *key, const struct value *v,
			struct pax_records *r)
{
	uint64_t ignored;

	if (value_is(key, "SCHILY.devmajor"))
		return read_number(v, &r->has_major, &r->major);
	if (value_is(key, "SCHILY.devminor"))
		return read_number(v, &r->has_minor, &r->minor);
	if (value_is(key, "SCHILY.dev") || value_is(key, "SCHILY.ino") ||
	    value_is(key, "SCHILY.nlink"))
		return value_number(v, &ignored);
	if (value_is(key, "SCHILY.fflags"))
		return mark(&r->has_flags);
	if (value_is(key, "SCHILY.acl.access"))
		read_mask(v, r);
	if (value_is(key, "SCHILY.acl.access") || value_is(key, "SCHILY.acl.default"))
		return r->has_acl = true;
	if (key_starts(key, "SCHILY.xattr."))
		return r->has_xattr = true;
	return false;
}

static bool read_record(const struct value *key, const struct value *v,
			struct pax_records *r)
{
	int64_t sec;
	uint32_t ns;

	if (value_is(key, "path"))
		return read_text(v, &r->path, &r->path_len);
	if (value_is(key, "linkpath"))
		return read_text(v, &r->link, &r->link_len);
	if (value_is(key, "size"))
		return read_number(v, &r->has_size, &r->size);
	if (value_is(key, "uid"))
		return read_number(v, &r->has_uid, &r->uid);
	if (value_is(key, "gid"))
		return read_number(v, &r->has_gid, &r->gid);
	if (value_is(key, "mtime"))
		return read_time(v, r);
	if (value_is(key, "atime") || value_is(key, "ctime") ||
	    value_is(key, "LIBARCHIVE.creationtime"))
		return value_time(v, &sec, &ns);
	if (value_is(key, "hdrcharset"))
		return value_is(v, "BINARY") || value_is(v, "ISO-IR 10646 2000 UTF-8");
	return read_gnu(key, v, r) || read_schily(key, v, r) ||
	       value_is(key, "LIBARCHIVE.symlinktype");
}

int pax_records_parse(const uint8_t *p, size_t n, struct pax_records *out, struct err *e)
{
	const uint8_t *end = p + n;

	while (p < end) {
		const uint8_t *at = p, *eq;
		struct value key, v;
		uint64_t len;

		if (!pax_map_number(&at, end, &len) || at == end || *at++ != ' ' ||
		    len > (uint64_t)(end - p) || p + len <= at || p[len - 1] != '\n')
			return err_set(e, ERR_DAMAGED,
				       "extended header: bad record length");
		eq = memchr(at, '=', (size_t)(p + len - at));
		if (!eq)
			return err_set(e, ERR_DAMAGED,
				       "extended header: record without =");
		key = (struct value){ at, (size_t)(eq - at) };
		v = (struct value){ eq + 1, (size_t)(p + len - 1 - (eq + 1)) };
		if (!read_record(&key, &v, out))
			return err_set(e, ERR_DAMAGED,
				       "extended header: bad, double or unknown %.*s",
				       (int)(key.n < 40 ? key.n : 40),
				       (const char *)key.p);
		p += len;
	}
	return 0;
}
