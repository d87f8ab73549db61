/* POSIX ACLs from libarchive's form to the one the kernel takes as an xattr. */
#ifndef SOURCE_ENTRY_ACL_H
#define SOURCE_ENTRY_ACL_H

#include <stddef.h>
#include <stdint.h>

struct archive_entry;

enum entry_acl_kind { ENTRY_ACL_ACCESS, ENTRY_ACL_DEFAULT };

/* The ACL of ATTRS, malloc'ed; NULL if there is none beyond the mode.  An access ACL's
 * mask goes into the group bits of *MODE, for that is what they show.  -1: out of memory.
 */
int entry_acl_encode(struct archive_entry *attrs, enum entry_acl_kind kind, void **out,
		     size_t *n, uint32_t *mode);

#endif
