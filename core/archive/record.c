/* Every length of a head is checked against the limits of its type before it is used. */
#include "archive/record.h"

#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/root.h"
#include "base/err.h"
#include "base/scope.h"
#include "base/wire.h"

static int at_record(const struct part_reader *r, uint64_t offset, struct err *e)
{
	return err_in(e, "%s: record at %llu", r->name, (unsigned long long)offset);
}

static int head_decode(const uint8_t raw[RECORD_HEAD_LEN], enum record_type type,
		       struct record *out, struct err *e)
{
	struct cursor c = cursor_make(raw, RECORD_HEAD_LEN);
	uint32_t limit =
		type == RECORD_BODY || type == RECORD_HEAD ? FRAME_MAX : NODE_MAX;
	uint8_t found = cursor_u8(&c), codec = cursor_u8(&c);

	cursor_zeros(&c, 2);
	out->clen = cursor_u32(&c);
	out->ulen = cursor_u32(&c);
	cursor_zeros(&c, 4);
	cursor_copy(&c, out->id, sizeof(out->id));
	if (found != (uint8_t)type)
		return err_set(e, ERR_DAMAGED, "type %d where %d is expected", found,
			       (int)type);
	if (!cursor_ok(&c) || codec > CODEC_ZSTD || out->ulen < 1 || out->ulen > limit ||
	    out->clen < 1 || out->clen > out->ulen ||
	    (codec == CODEC_RAW && out->clen != out->ulen))
		return err_set(e, ERR_DAMAGED, "its head does not fit");
	out->type = type;
	out->codec = (enum record_codec)codec;
	return 0;
}

int record_fetch(struct part_reader *r, uint64_t offset, enum record_type type,
		 uint8_t *packed, struct record *out, struct err *e)
{
	uint64_t length = part_reader_length(r);
	uint8_t raw[RECORD_HEAD_LEN];

	if (offset > length || length - offset < sizeof(raw)) {
		(void)err_set(e, ERR_DAMAGED, "lies outside the part");
		return at_record(r, offset, e);
	}
	if (part_reader_read(r, offset, raw, sizeof(raw), e) < 0)
		return -1;
	if (head_decode(raw, type, out, e) < 0)
		return at_record(r, offset, e);
	if (length - offset - sizeof(raw) < out->clen) {
		(void)err_set(e, ERR_DAMAGED, "goes over the end of the part");
		return at_record(r, offset, e);
	}
	return part_reader_read(r, offset + sizeof(raw), packed, out->clen, e);
}

int record_unpack(const struct record *rec, struct unpacker *u, const uint8_t *packed,
		  uint8_t *plain, struct err *e)
{
	return unpacker_record(u, rec->codec, packed, rec->clen, plain, rec->ulen, e);
}

int record_load(struct part_reader *r, uint64_t offset, enum record_type type,
		struct unpacker *u, uint8_t *packed, uint8_t *plain, struct record *out,
		struct err *e)
{
	if (record_fetch(r, offset, type, packed, out, e) < 0)
		return -1;
	if (record_unpack(out, u, packed, plain, e) < 0)
		return at_record(r, offset, e);
	return 0;
}

int record_peek(struct part_reader *r, uint64_t offset, struct record *out, uint64_t *next,
		struct err *e)
{
	uint64_t length = part_reader_length(r);
	uint8_t raw[RECORD_HEAD_LEN];

	if (offset > length || length - offset < sizeof(raw))
		return 1;
	if (part_reader_read(r, offset, raw, sizeof(raw), e) < 0)
		return -1;
	if (raw[0] == 0)
		return 1;
	if (raw[0] > RECORD_ROOT)
		(void)err_set(e, ERR_DAMAGED, "unknown type %d", raw[0]);
	else if (head_decode(raw, (enum record_type)raw[0], out, e) == 0) {
		*next = offset + sizeof(raw) + out->clen;
		return 0;
	}
	return at_record(r, offset, e);
}

/* After ROOT there is nothing: the next head is zero, or does not fit any more. */
static int check_end(struct part_reader *r, uint64_t end, struct err *e)
{
	uint64_t left = part_reader_length(r) - end;
	uint8_t raw[RECORD_HEAD_LEN];
	size_t n = left < sizeof(raw) ? (size_t)left : sizeof(raw);

	if (part_reader_read(r, end, raw, n, e) < 0)
		return -1;
	if (!crypto_is_zero(raw, n))
		return err_set(e, ERR_DAMAGED, "%s: ROOT is not its last record",
			       r->name);
	return 0;
}

static int root_take(struct part_reader *r, const uint8_t *plain,
		     const struct record *rec, struct root *out, struct stream_keys *k,
		     struct err *e)
{
	const struct stream *s = &r->header.stream;
	uint8_t id[32];

	frame_root_id(plain, rec->ulen, id);
	if (!crypto_equal(id, rec->id, sizeof(id)))
		return err_set(e, ERR_DAMAGED, "%s: ROOT is not what its id says",
			       r->name);
	if (root_decode(plain, rec->ulen, out, k, e) < 0)
		return err_in(e, "%s", r->name);
	if (out->kind != s->kind || strcmp(out->name, s->name) != 0)
		return err_set(e, ERR_DAMAGED,
			       "%s: ROOT is of another volume than the header", r->name);
	return check_end(r, r->trailer.root_offset + RECORD_HEAD_LEN + rec->clen, e);
}

int record_root(struct part_reader *final, struct root *out, struct stream_keys *k,
		struct err *e)
{
	auto_free uint8_t *room = malloc(2 * (size_t)NODE_MAX);
	struct unpacker *u = unpacker_new(e);
	struct record rec;
	int result = -1;

	if (!room)
		(void)err_memory(e);
	else if (u && record_load(final, final->trailer.root_offset, RECORD_ROOT, u, room,
				  room + NODE_MAX, &rec, e) == 0)
		result = root_take(final, room + NODE_MAX, &rec, out, k, e);
	if (room)
		crypto_wipe(room, 2 * (size_t)NODE_MAX);
	unpacker_free(u);
	return result;
}
