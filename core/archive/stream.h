/* Identity and keys of a stream: one volume by one host key (docs/format.md sections 2-4). */
#ifndef ARCHIVE_STREAM_H
#define ARCHIVE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "archive/descriptor.h"

struct err;
struct secret;

enum stream_kind { STREAM_VOLUME = 1, STREAM_BIND = 2, STREAM_FILE = 3 };

#define VOLUME_NAME_MAX 4095
#define STORE_NAME_MAX 208 /* a component of a name in the store, with NUL */

struct stream {
	uint8_t id[16], nonce[16], host_pk[32];
	enum stream_kind kind;
	char host[LABEL_MAX + 1];
	char name[VOLUME_NAME_MAX + 1];
};

/* What only readers and the writing host know; in locked memory. */
struct stream_keys {
	uint8_t id[32], gear[32], list[32];
};

/* Fill s->id from the rest. */
void stream_identify(struct stream *s);
/* Keys from the host's seed; *out is the caller's, freed by stream_keys_free. */
int stream_keys_derive(const struct secret *host, const uint8_t stream_id[16],
		       struct stream_keys **out, struct err *e);
int stream_keys_new(struct stream_keys **out, struct err *e);
void stream_keys_free(struct stream_keys *k);

/* LABEL as a component of a store name (section 3). */
void stream_escape(const char *label, char out[STORE_NAME_MAX]);
/* "s/HOST/VOLUME.SSSSSSSS" */
void stream_dir(const struct stream *s, char *out, size_t size);

#endif
