/* A copy is 32 bytes of frame id, u8 codec, u32 clen, u32 ulen, clen bytes.  It proves itself: the
 * frame's id is computed anew, and the group's fingerprint is the tip cache's. */
#include "archive/heads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "archive/frame.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/wire.h"

#define COPY_HEAD 41

struct heads {
	struct cache *cache;
	const uint8_t *id_key;
	/* the copy that is loaded */
	struct unpacker *unpacker;
	struct unpacked *frame;
	uint8_t *packed;
	struct record_place at;
	bool loaded;
};

int heads_new(struct cache *c, const uint8_t id_key[32], struct heads **out, struct err *e)
{
	struct heads *h = calloc(1, sizeof(*h));

	if (!h)
		return err_memory(e);
	h->cache = c;
	h->id_key = id_key;
	*out = h;
	return 0;
}

void heads_free(struct heads *h)
{
	if (!h)
		return;
	unpacker_free(h->unpacker);
	unpacked_free(h->frame);
	free(h->packed);
	free(h);
}

void heads_name(const struct record_place *at, char *out, size_t size)
{
	(void)snprintf(out, size, "h-%" PRIu64 "-%" PRIu32 "-%" PRIu64, at->seq, at->part,
		       at->offset);
}

static int copy_write(int fd, const struct frame *f)
{
	uint8_t head[COPY_HEAD];

	memcpy(head, f->id, 32);
	head[32] = (uint8_t)f->codec;
	wire_set32(head + 33, (uint32_t)f->clen);
	wire_set32(head + 37, (uint32_t)f->ulen);
	if (file_write(fd, head, sizeof(head)) < 0)
		return -1;
	return file_write(fd, f->packed, f->clen);
}

int heads_save(struct heads *h, const struct record_place *at, const struct frame *f,
	       struct err *e)
{
	auto_close int fd = openat(h->cache->dirfd, ".new-head",
				   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	char name[80];

	heads_name(at, name, sizeof(name));
	if (fd < 0 || copy_write(fd, f) < 0)
		return err_sys(e, "write the tip cache");
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (renameat(h->cache->dirfd, ".new-head", h->cache->dirfd, name) < 0)
		return err_sys(e, "write the tip cache");
	return 0;
}

/* Memory that most runs never need. */
static int make_room(struct heads *h, struct err *e)
{
	if (h->packed)
		return 0;
	h->unpacker = unpacker_new(e);
	h->frame = h->unpacker ? unpacked_new(e) : NULL;
	if (!h->frame)
		return -1;
	h->packed = malloc(FRAME_MAX);
	return h->packed ? 0 : err_memory(e);
}

/* False: it does not fit. */
static bool copy_read(struct heads *h, int fd)
{
	struct err ignored = ERR_EMPTY;
	uint8_t head[COPY_HEAD];
	uint32_t clen, ulen;

	if (fd < 0 || file_read(fd, head, sizeof(head)) != (ssize_t)sizeof(head))
		return false;
	clen = wire_get32(head + 33);
	ulen = wire_get32(head + 37);
	if (head[32] > CODEC_ZSTD || clen == 0 || clen > ulen || ulen > FRAME_MAX ||
	    file_read(fd, h->packed, clen) != (ssize_t)clen)
		return false;
	return unpacker_record(h->unpacker, (enum record_codec)head[32], h->packed, clen,
			       h->frame->plain, ulen, &ignored) == 0 &&
	       unpacked_parse(h->frame, RECORD_HEAD, ulen, h->id_key, head, &ignored) == 0;
}

/* Whether group X is a chunk of the loaded frame, with the fingerprint that it must have. */
static bool has_group(const struct heads *h, const struct chunk *x)
{
	uint32_t start = 0;

	for (uint32_t i = 0; i < h->frame->n_chunks; start = h->frame->ends[i++])
		if (start == x->offset)
			return h->frame->ends[i] - start == x->length &&
			       memcmp(h->frame->fingerprints[i], x->fingerprint,
				      FINGERPRINT_LEN) == 0;
	return false;
}

int heads_load(struct heads *h, const struct chunk *x, const uint8_t **p, struct err *e)
{
	char name[80];

	if (make_room(h, e) < 0)
		return -1;
	if (!h->loaded || !chunk_same_place(&h->at, &x->in.at)) {
		auto_close int fd = -1;

		heads_name(&x->in.at, name, sizeof(name));
		fd = openat(h->cache->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		h->loaded = copy_read(h, fd);
		if (!h->loaded)
			return cache_broken(h->cache, "a copy of headers is missing or damaged", e);
		h->at = x->in.at;
	}
	if (!has_group(h, x))
		return cache_broken(h->cache, "a copy of headers is not what it should be", e);
	*p = h->frame->plain + h->frame->content_at + x->offset;
	return 0;
}
