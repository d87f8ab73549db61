/* ROOT is one fixed record and a TLV area; the keys in it are what a recipient needs to
 * check and prune the stream without the host's key. */
#include "archive/root.h"

#include <string.h>

#include "archive/crypto.h"
#include "archive/part.h"
#include "archive/tlv.h"
#include "base/err.h"
#include "base/wire.h"

#define ROOT_MAGIC "VSROOT1"
#define ROOT_FIXED 300
#define TLV_NAME 1
#define TLV_SOURCE 2

/* ---- encoding ---- */

static void set_totals(uint8_t *p, const struct totals *t)
{
	wire_set64(p + 104, t->entries);
	wire_set64(p + 112, t->files);
	wire_set64(p + 120, t->dirs);
	wire_set64(p + 128, t->bytes);
	wire_set64(p + 136, t->body_len);
	wire_set64(p + 144, t->head_len);
	wire_set64(p + 152, t->vanished);
	wire_set64(p + 160, t->skipped);
	wire_set32(p + 168, t->unreadable);
	wire_set32(p + 172, t->changed);
}

static void set_top(uint8_t *p, const struct tree_ref *top)
{
	p[0] = top->level;
	if (top->level == TREE_LEVEL_NONE)
		return;
	wire_set32(p + 4, top->at.part);
	wire_set64(p + 8, top->at.seq);
	wire_set64(p + 16, top->at.offset);
	memcpy(p + 24, top->id, sizeof(top->id));
}

static void set_fixed(uint8_t p[ROOT_FIXED], const struct root *r,
		      const struct stream_keys *k)
{
	memset(p, 0, ROOT_FIXED);
	memcpy(p, ROOT_MAGIC, 8);
	memcpy(p + 8, k->id, 32);
	memcpy(p + 40, k->gear, 32);
	memcpy(p + 72, k->list, 32);
	set_totals(p, &r->totals);
	wire_set64(p + 176, (uint64_t)r->begun_ms);
	wire_set64(p + 184, r->begun_boot_ms);
	memcpy(p + 192, r->boot_id, 16);
	p[208] = (uint8_t)r->grade;
	p[209] = r->level;
	p[210] = (uint8_t)r->kind;
	set_top(p + 216, &r->head);
	set_top(p + 256, &r->body);
}

static int put_tlv(struct bytes *out, uint16_t type, const char *text, struct err *e)
{
	size_t n = strlen(text);

	if (wire_put16(out, type, e) < 0 || wire_put16(out, (uint16_t)n, e) < 0)
		return -1;
	return bytes_append(out, text, n, e);
}

int root_encode(const struct root *r, const struct stream_keys *k, struct bytes *out,
		struct err *e)
{
	size_t at = out->len;

	/* Secrets are written into OUT's own memory: room for all of it at once, so that
	 * appending leaves no copy behind.  The caller wipes OUT. */
	if (bytes_reserve(out, NODE_MAX / 4, e) < 0)
		return -1;
	set_fixed(out->p + at, r, k);
	out->len += ROOT_FIXED;
	if (put_tlv(out, TLV_NAME, r->name, e) < 0 ||
	    put_tlv(out, TLV_SOURCE, r->source, e) < 0)
		return -1;
	wire_set32(out->p + at + 296, (uint32_t)(out->len - at - ROOT_FIXED));
	return 0;
}

/* ---- decoding ---- */

static void take_totals(struct cursor *c, struct totals *t)
{
	t->entries = cursor_u64(c);
	t->files = cursor_u64(c);
	t->dirs = cursor_u64(c);
	t->bytes = cursor_u64(c);
	t->body_len = cursor_u64(c);
	t->head_len = cursor_u64(c);
	t->vanished = cursor_u64(c);
	t->skipped = cursor_u64(c);
	t->unreadable = cursor_u32(c);
	t->changed = cursor_u32(c);
}

static bool take_top(struct cursor *c, struct tree_ref *top)
{
	uint8_t raw[40];

	cursor_copy(c, raw, sizeof(raw));
	*top = (struct tree_ref){ .level = raw[0],
				  .at = { .part = wire_get32(raw + 4),
					  .seq = wire_get64(raw + 8),
					  .offset = wire_get64(raw + 16) } };
	memcpy(top->id, raw + 24, sizeof(top->id));
	if (top->level == TREE_LEVEL_NONE)
		return crypto_is_zero(raw + 1, sizeof(raw) - 1);
	return top->level <= TREE_LEVEL_MAX && crypto_is_zero(raw + 1, 3);
}

static bool take_text(const uint8_t *area, size_t n, uint16_t type, char *out,
		      size_t size)
{
	size_t len = 0;
	const uint8_t *p = tlv_find(area, n, type, &len);

	if (!p)
		len = 0;
	if (len >= size || (p && memchr(p, 0, len)))
		return false;
	if (p)
		memcpy(out, p, len);
	out[len] = '\0';
	return true;
}

static bool take_tlvs(struct cursor *c, struct root *r)
{
	uint32_t n = cursor_u32(c);
	const uint8_t *area = cursor_take(c, n);

	return area && cursor_done(c) && tlv_fits(area, n) &&
	       take_text(area, n, TLV_NAME, r->name, sizeof(r->name)) && r->name[0] &&
	       take_text(area, n, TLV_SOURCE, r->source, sizeof(r->source));
}

/* The sums of the trees, as the totals have them; an empty stream has no tree. */
static bool fill_refs(struct root *r)
{
	r->head.length = r->totals.head_len;
	r->head.entries = r->totals.entries;
	r->head.body = r->totals.body_len;
	r->body.length = r->totals.body_len;
	return (r->head.length == 0) == (r->head.level == TREE_LEVEL_NONE) &&
	       (r->body.length == 0) == (r->body.level == TREE_LEVEL_NONE);
}

static bool words_fit(uint8_t grade, uint8_t level, uint8_t kind)
{
	return grade >= GRADE_STOPPED && grade <= GRADE_FUZZY && level <= 3 &&
	       kind >= STREAM_VOLUME && kind <= STREAM_FILE;
}

int root_decode(const uint8_t *p, size_t n, struct root *out, struct stream_keys *k,
		struct err *e)
{
	struct cursor c = cursor_make(p, n);
	const uint8_t *magic = cursor_take(&c, 8);
	uint8_t words[3];
	bool ok;

	if (n > NODE_MAX || !magic || memcmp(magic, ROOT_MAGIC, 8) != 0)
		return err_set(e, ERR_DAMAGED, "ROOT: not one");
	memset(out, 0, sizeof(*out));
	cursor_copy(&c, k->id, sizeof(k->id));
	cursor_copy(&c, k->gear, sizeof(k->gear));
	cursor_copy(&c, k->list, sizeof(k->list));
	take_totals(&c, &out->totals);
	out->begun_ms = (int64_t)cursor_u64(&c);
	out->begun_boot_ms = cursor_u64(&c);
	cursor_copy(&c, out->boot_id, sizeof(out->boot_id));
	cursor_copy(&c, words, sizeof(words));
	cursor_zeros(&c, 5);
	ok = take_top(&c, &out->head) && take_top(&c, &out->body) && take_tlvs(&c, out);
	if (!ok || !words_fit(words[0], words[1], words[2]) || !fill_refs(out))
		return err_set(e, ERR_DAMAGED, "ROOT: a field is not what it can be");
	out->grade = words[0];
	out->level = words[1];
	out->kind = words[2];
	return 0;
}
