/* The frame of a header: maybe one 'x' header with its records, one ustar header, for a
 * sparse file the map, nothing else.  Facts are taken from the records first, then from
 * the ustar fields.  Then the policy: which names and sizes a volume can have. */
#include "source/pax.h"

#include <string.h>

#include "base/err.h"
#include "source/pax_parts.h"

enum { BLOCK = 512 };

/* The fields of a ustar header. */
enum {
	AT_NAME = 0,
	AT_MODE = 100,
	AT_UID = 108,
	AT_GID = 116,
	AT_SIZE = 124,
	AT_MTIME = 136,
	AT_SUM = 148,
	AT_TYPE = 156,
	AT_LINK = 157,
	AT_MAGIC = 257,
	AT_UNAME = 265,
	AT_GNAME = 297,
	AT_MAJOR = 329,
	AT_MINOR = 337,
	AT_PREFIX = 345,
	LEN_NAME = 100,
	LEN_PREFIX = 155,
	LEN_ID = 8,
	LEN_LONG = 12,
};

static int damaged(struct err *e, const char *what)
{
	return err_set(e, ERR_DAMAGED, "entry header: %s", what);
}

/* Base-256: the first bit is set, the rest is two's complement, big-endian. */
static bool field_binary(const uint8_t *p, size_t n, int64_t *out)
{
	bool negative = p[0] & 0x40;
	uint64_t v = negative ? UINT64_MAX : 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t byte = p[i];

		if (i == 0)
			byte = negative ? byte : (uint8_t)(byte & 0x7f);
		if (n - i > 8 && byte != (negative ? 0xff : 0))
			return false;
		v = v << 8 | byte;
	}
	*out = (int64_t)v;
	return negative == (*out < 0);
}

/* Octal digits, then spaces and zeros. */
static bool field_number(const uint8_t *p, size_t n, int64_t *out)
{
	size_t i = 0;
	int64_t v = 0;

	if (p[0] & 0x80)
		return field_binary(p, n, out);
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v * 8 + (p[i] - '0');
	if (i == 0)
		return false;
	for (; i < n; i++)
		if (p[i] != ' ' && p[i] != 0)
			return false;
	*out = v;
	return true;
}

static bool field_unsigned(const uint8_t *p, size_t n, uint64_t *out)
{
	int64_t v;

	if (!field_number(p, n, &v) || v < 0)
		return false;
	*out = (uint64_t)v;
	return true;
}

static bool zeros(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* Magic, checksum and the fields that we never use. */
static int check_block(const uint8_t *b, struct err *e)
{
	uint64_t want, sum = 0;

	if (memcmp(b + AT_MAGIC,
		   "ustar\0"
		   "00",
		   8) != 0)
		return damaged(e, "not ustar");
	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= AT_SUM && i < AT_TYPE ? ' ' : b[i];
	if (!field_unsigned(b + AT_SUM, LEN_ID, &want) || want != sum)
		return damaged(e, "checksum does not fit");
	if (!zeros(b + AT_UNAME, AT_MAJOR - AT_UNAME) ||
	    !zeros(b + AT_PREFIX + LEN_PREFIX, BLOCK - AT_PREFIX - LEN_PREFIX))
		return damaged(e, "names of owners, or bytes after the prefix");
	return 0;
}

/* The extended header at the beginning, if there is one; *at is what it takes. */
static int parse_extended(const uint8_t *h, size_t n, size_t *at, struct pax_records *r,
			  struct err *e)
{
	uint64_t len;
	size_t padded;

	*at = 0;
	if (h[AT_TYPE] != 'x')
		return 0;
	if (check_block(h, e) < 0)
		return -1;
	if (!field_unsigned(h + AT_SIZE, LEN_LONG, &len) || len > n - BLOCK)
		return damaged(e, "extended header larger than the whole");
	padded = ((size_t)len + BLOCK - 1) / BLOCK * BLOCK;
	if (padded > n - BLOCK || !zeros(h + BLOCK + len, padded - (size_t)len))
		return damaged(e, "bad padding");
	*at = BLOCK + padded;
	return pax_records_parse(h + BLOCK, (size_t)len, r, e);
}

static int parse_type(uint8_t flag, struct pax *out, struct err *e)
{
	static const char flags[] = "0123456";
	static const enum pax_type types[] = { PAX_FILE,  PAX_LINK, PAX_SYMLINK, PAX_CHAR,
					       PAX_BLOCK, PAX_DIR,  PAX_FIFO };
	const char *found = flag ? strchr(flags, flag) : NULL;

	if (!found)
		return damaged(e, "unknown type of entry");
	out->type = types[found - flags];
	return 0;
}

/* The text of a fixed field, which need not have a NUL. */
static size_t field_text(const uint8_t *p, size_t n, char *out)
{
	size_t len = strnlen((const char *)p, n);

	memcpy(out, p, len);
	out[len] = '\0';
	return len;
}

static int take_text(const uint8_t *p, size_t n, char *out, struct err *e)
{
	if (n > ENTRY_PATH_MAX + 1)
		return damaged(e, "path too long");
	memcpy(out, p, n);
	out[n] = '\0';
	return 0;
}

static int parse_path(const uint8_t *b, const struct pax_records *r, struct pax *out,
		      struct err *e)
{
	size_t len = 0;

	if (r->sparse_name)
		return take_text(r->sparse_name, r->sparse_name_len, out->path, e);
	if (r->path)
		return take_text(r->path, r->path_len, out->path, e);
	if (b[AT_PREFIX]) {
		len = field_text(b + AT_PREFIX, LEN_PREFIX, out->path);
		out->path[len++] = '/';
	}
	(void)field_text(b + AT_NAME, LEN_NAME, out->path + len);
	return 0;
}

static int parse_target(const uint8_t *b, const struct pax_records *r, struct pax *out,
			struct err *e)
{
	bool link = out->type == PAX_LINK || out->type == PAX_SYMLINK;

	if (r->link && take_text(r->link, r->link_len, out->target, e) < 0)
		return -1;
	if (!r->link)
		(void)field_text(b + AT_LINK, LEN_NAME, out->target);
	if (link != (out->target[0] != '\0'))
		return damaged(e,
			       link ? "link without a target" : "target without a link");
	return strlen(out->target) > ENTRY_PATH_MAX ? damaged(e, "path too long") : 0;
}

static int parse_owner(const uint8_t *b, const struct pax_records *r, struct pax *out,
		       struct err *e)
{
	uint64_t mode;

	if (!field_unsigned(b + AT_MODE, LEN_ID, &mode) || mode > 07777)
		return damaged(e, "bad mode");
	out->mode = (uint32_t)mode;
	out->shown_mode = r->has_mask ? (out->mode & ~070U) | r->mask << 3 : out->mode;
	if ((!r->has_uid && !field_unsigned(b + AT_UID, LEN_ID, &out->uid)) ||
	    (!r->has_gid && !field_unsigned(b + AT_GID, LEN_ID, &out->gid)))
		return damaged(e, "bad owner");
	if (r->has_uid)
		out->uid = r->uid;
	if (r->has_gid)
		out->gid = r->gid;
	/* The largest number is chown's "leave it". */
	return out->uid < UINT32_MAX && out->gid < UINT32_MAX ? 0
							      : damaged(e, "bad owner");
}

static int parse_numbers(const uint8_t *b, const struct pax_records *r, struct pax *out,
			 struct err *e)
{
	uint64_t major = r->major, minor = r->minor;
	bool device = out->type == PAX_CHAR || out->type == PAX_BLOCK;

	out->mtime = r->mtime;
	out->mtime_ns = r->mtime_ns;
	if (!r->has_mtime && !field_number(b + AT_MTIME, LEN_LONG, &out->mtime))
		return damaged(e, "bad time");
	out->size = r->size;
	if (!r->has_size && !field_unsigned(b + AT_SIZE, LEN_LONG, &out->size))
		return damaged(e, "bad size");
	if (out->size > INT64_MAX || (out->type != PAX_FILE && out->size != 0))
		return damaged(e, "bad size");
	if ((device && !r->has_major && !field_unsigned(b + AT_MAJOR, LEN_ID, &major)) ||
	    (device && !r->has_minor && !field_unsigned(b + AT_MINOR, LEN_ID, &minor)) ||
	    major > UINT32_MAX || minor > UINT32_MAX)
		return damaged(e, "bad device number");
	out->dev_major = device ? (uint32_t)major : 0;
	out->dev_minor = device ? (uint32_t)minor : 0;
	return 0;
}

static int check_path(const char *path, struct err *e)
{
	size_t depth = 0;

	if (strlen(path) > ENTRY_PATH_MAX)
		return damaged(e, "path too long");
	if (path[0] != '.')
		return damaged(e, "path does not begin with ./");
	for (const char *p = path + 1; *p;) {
		size_t len = *p == '/' ? strcspn(p + 1, "/") : 0;

		if (len == 0 || (len == 1 && p[1] == '.') ||
		    (len == 2 && p[1] == '.' && p[2] == '.'))
			return damaged(e, "path with an empty, . or .. component");
		if (++depth > ENTRY_DEPTH_MAX)
			return damaged(e, "path too deep");
		p += 1 + len;
	}
	return 0;
}

static int check_names(struct pax *out, struct err *e)
{
	size_t len = strlen(out->path);
	bool slash = len > 1 && out->path[len - 1] == '/';

	if (slash != (out->type == PAX_DIR))
		return damaged(e, slash ? "file named as a directory"
					: "bad directory name");
	if (slash)
		out->path[len - 1] = '\0';
	if (check_path(out->path, e) < 0)
		return -1;
	if (out->type != PAX_DIR && !out->path[1])
		return damaged(e, "root is not a directory");
	if (out->type == PAX_LINK && !out->target[1])
		return damaged(e, "link to the root");
	return out->type == PAX_LINK ? check_path(out->target, e) : 0;
}

/* The map, and whether the stored size is that of map and data together. */
static int parse_sparse(const uint8_t *p, size_t n, const struct pax_records *r,
			struct pax *out, size_t *used, struct err *e)
{
	uint64_t stored = out->size;

	if (!r->sparse_major || !r->sparse_minor || !r->has_real || !r->sparse_name ||
	    out->type != PAX_FILE || r->real_size > INT64_MAX)
		return damaged(e, "sparse format is not 1.0");
	out->sparse = true;
	out->size = r->real_size;
	if (pax_map_parse(p, n, out, used, e) < 0)
		return err_in(e, "entry header");
	return stored == *used + out->body_len
		       ? 0
		       : damaged(e, "size is not that of the map");
}

static int parse_main(const uint8_t *h, size_t n, const struct pax_records *r,
		      struct pax *out, struct err *e)
{
	size_t used = 0;

	if (n < BLOCK)
		return damaged(e, "cut short");
	if (check_block(h, e) < 0 || parse_type(h[AT_TYPE], out, e) < 0 ||
	    parse_path(h, r, out, e) < 0 || parse_target(h, r, out, e) < 0 ||
	    parse_owner(h, r, out, e) < 0 || parse_numbers(h, r, out, e) < 0)
		return -1;
	out->body_len = out->size;
	if ((r->sparse_major || r->sparse_minor || r->sparse_name || r->has_real) &&
	    parse_sparse(h + BLOCK, n - BLOCK, r, out, &used, e) < 0)
		return -1;
	if (used != n - BLOCK)
		return damaged(e, "bytes left over");
	return check_names(out, e);
}

int pax_parse(const uint8_t *header, size_t n, struct pax *out, struct err *e)
{
	struct pax_records r = { .path = NULL };
	size_t at;

	memset(out, 0, sizeof(*out));
	if (n < BLOCK || n % BLOCK != 0 || n > ENTRY_HEADER_MAX)
		return damaged(e, "bad length");
	if (parse_extended(header, n, &at, &r, e) < 0)
		return -1;
	out->has_xattr = r.has_xattr;
	out->has_acl = r.has_acl;
	out->has_flags = r.has_flags;
	return parse_main(header + at, n - at, &r, out, e);
}

bool pax_path_below(const char *path, const char *selected)
{
	size_t len = strlen(selected);

	return strncmp(path, selected, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/');
}

int pax_path_order(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	/* The end of a path comes first, then what lies below it, then its later siblings. */
	if (*a == *b || !*a || !*b)
		return (*a != '\0') - (*b != '\0');
	if (*a == '/' || *b == '/')
		return *a == '/' ? -1 : 1;
	return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}
