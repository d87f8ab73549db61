/* The summary: what a list shows of a snapshot, sealed in its final trailer under the
 * stream's list key, so that a pruner sees dates and sizes but no names (docs/format.md
 * section 8).
 *
 * The nonce is zero: the key comes from the header's hash and seals one summary. */
#include "archive/part.h"

#include <string.h>

#include "archive/crypto.h"
#include "archive/root.h"
#include "base/err.h"
#include "base/wire.h"

#define LEVEL_MAX 3

static const uint8_t zero_nonce[12];

static void summary_key(const uint8_t list_key[32], const uint8_t hh[32], uint8_t sk[32])
{
	crypto_b2("vs1.summary", list_key, 32, hh, 32, sk, 32);
}

void summary_seal(const struct summary *s, const uint8_t list_key[32],
		  const uint8_t hh[32], uint8_t out[SUMMARY_LEN + 16])
{
	uint8_t plain[SUMMARY_LEN] = { 0 }, sk[32];

	wire_set64(plain, (uint64_t)s->time_ms);
	wire_set64(plain + 8, (uint64_t)s->day);
	plain[16] = s->level;
	plain[17] = s->grade;
	wire_set32(plain + 20, s->unreadable);
	wire_set32(plain + 24, s->changed_entries);
	wire_set64(plain + 32, s->entries);
	wire_set64(plain + 40, s->bytes);
	wire_set64(plain + 48, s->new_bytes);
	wire_set64(plain + 56, s->reemitted);
	wire_set64(plain + 64, s->changed_bytes);
	summary_key(list_key, hh, sk);
	crypto_seal(sk, zero_nonce, NULL, 0, plain, sizeof(plain), out);
	crypto_wipe(sk, sizeof(sk));
}

static bool summary_decode(const uint8_t plain[SUMMARY_LEN], struct summary *out)
{
	struct cursor c = cursor_make(plain, SUMMARY_LEN);

	out->time_ms = (int64_t)cursor_u64(&c);
	out->day = (int64_t)cursor_u64(&c);
	out->level = cursor_u8(&c);
	out->grade = cursor_u8(&c);
	cursor_zeros(&c, 2);
	out->unreadable = cursor_u32(&c);
	out->changed_entries = cursor_u32(&c);
	cursor_zeros(&c, 4);
	out->entries = cursor_u64(&c);
	out->bytes = cursor_u64(&c);
	out->new_bytes = cursor_u64(&c);
	out->reemitted = cursor_u64(&c);
	out->changed_bytes = cursor_u64(&c);
	cursor_zeros(&c, c.left);
	return cursor_done(&c) && out->level <= LEVEL_MAX &&
	       out->grade >= GRADE_STOPPED && out->grade <= GRADE_FUZZY;
}

int summary_open(const uint8_t sealed[SUMMARY_LEN + 16], const uint8_t list_key[32],
		 const uint8_t hh[32], struct summary *out, struct err *e)
{
	uint8_t plain[SUMMARY_LEN], sk[32];
	bool ok;

	summary_key(list_key, hh, sk);
	ok = crypto_open(sk, zero_nonce, NULL, 0, sealed, SUMMARY_LEN + 16, plain);
	crypto_wipe(sk, sizeof(sk));
	if (!ok)
		return err_set(e, ERR_DAMAGED, "summary: wrong list key or damaged");
	if (!summary_decode(plain, out))
		return err_set(e, ERR_DAMAGED, "summary: its fields do not fit");
	return 0;
}
