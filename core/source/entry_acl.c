/* The kernel's form (linux/posix_acl_xattr.h): a version, then tag, permissions and id of
 * each entry, little-endian, ordered by tag, then id. */
#include "source/entry_acl.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

#include "base/wire.h"

enum { VERSION = 2, HEAD = 4, EACH = 8, TAG_MASK = 0x10 };

struct ace {
	uint16_t tag, perm;
	uint32_t id;
};

static uint16_t tag_of(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return 0x01;
	case ARCHIVE_ENTRY_ACL_USER:
		return 0x02;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return 0x04;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return 0x08;
	case ARCHIVE_ENTRY_ACL_MASK:
		return TAG_MASK;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return 0x20;
	default: /* NFSv4: the kernel refuses 0, and that is reported */
		return 0;
	}
}

static int by_tag(const void *a, const void *b)
{
	const struct ace *x = a, *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static size_t collect(struct archive_entry *attrs, int type, struct ace *aces,
		      size_t room)
{
	int got_type, perm, tag, id;
	const char *name;
	size_t n = 0;

	while (n < room && archive_entry_acl_next(attrs, type, &got_type, &perm, &tag,
						  &id, &name) == ARCHIVE_OK) {
		aces[n].tag = tag_of(tag);
		aces[n].perm = (uint16_t)(perm & 7);
		aces[n].id = aces[n].tag & 0x0a ? (uint32_t)id : UINT32_MAX;
		n++;
	}
	qsort(aces, n, sizeof(*aces), by_tag);
	return n;
}

int entry_acl_encode(struct archive_entry *attrs, enum entry_acl_kind kind, void **out,
		     size_t *len, uint32_t *mode)
{
	int type = kind == ENTRY_ACL_ACCESS ? ARCHIVE_ENTRY_ACL_TYPE_ACCESS
					    : ARCHIVE_ENTRY_ACL_TYPE_DEFAULT;
	int count = archive_entry_acl_reset(attrs, type);
	struct ace *aces;
	uint8_t *p;
	size_t n;

	if (count <= 0)
		return 0;
	aces = calloc((size_t)count, sizeof(*aces));
	p = malloc(HEAD + EACH * (size_t)count);
	if (!aces || !p) {
		free(aces);
		free(p);
		return -1;
	}
	n = collect(attrs, type, aces, (size_t)count);
	wire_set32(p, VERSION);
	for (size_t i = 0; i < n; i++) {
		wire_set16(p + HEAD + EACH * i, aces[i].tag);
		wire_set16(p + HEAD + EACH * i + 2, aces[i].perm);
		wire_set32(p + HEAD + EACH * i + 4, aces[i].id);
		if (kind == ENTRY_ACL_ACCESS && aces[i].tag == TAG_MASK)
			*mode = (*mode & ~070U) | (uint32_t)aces[i].perm << 3;
	}
	free(aces);
	*out = p;
	*len = HEAD + EACH * n;
	return 0;
}
