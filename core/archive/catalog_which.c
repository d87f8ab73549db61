/* WHICH: the part of NAME@WHICH that chooses a snapshot (volsnap(1), "WHICH").  What has
 * only digits is a number, so the id of a snapshot needs a letter, or "id:" before it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "archive/catalog.h"
#include "archive/crypto.h"
#include "base/err.h"

#define HEX "0123456789abcdefABCDEF"
#define DIGITS "0123456789"
#define ID_MIN 8 /* digits of an id without "id:" */
#define ID_MAX 32

static bool all_of(const char *text, const char *accept)
{
	return *text && text[strspn(text, accept)] == '\0';
}

/* A number that is too large is none that a snapshot has. */
static uint64_t number_of(const char *digits)
{
	uint64_t v = 0;

	for (; *digits; digits++)
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*digits - '0'), &v))
			return UINT64_MAX;
	return v;
}

/* ---- latest ---- */

static int find_latest(const struct catalog_stream *s, uint64_t back,
		       const struct snapshot **out, struct err *e)
{
	uint64_t seen = 0;
	size_t damaged = 0;

	for (size_t i = s->n; i > 0; i--) {
		damaged += s->snapshots[i - 1].state == SNAPSHOT_DAMAGED;
		if (s->snapshots[i - 1].state == SNAPSHOT_OK && seen++ == back) {
			*out = &s->snapshots[i - 1];
			return 0;
		}
	}
	if (seen == 0 && damaged > 0)
		return err_set(e, ERR_NOT_FOUND,
			       "%s: has no restorable snapshot; of a damaged one, restore "
			       "--salvage %s@SEQ gives what is left",
			       s->stream.name, s->stream.name);
	if (seen == 0)
		return err_set(e, ERR_NOT_FOUND, "%s: has no restorable snapshot",
			       s->stream.name);
	return err_set(e, ERR_NOT_FOUND, "%s: has only %llu restorable snapshots",
		       s->stream.name, (unsigned long long)seen);
}

/* ---- numbers and ids ---- */

/* What a snapshot was asked for by. */
struct name {
	const char *text;
	bool by_seq, damaged; /* a damaged one will do */
	uint64_t seq;
	char id[ID_MAX + 1]; /* lower case */
};

static bool name_fits(const struct name *w, const struct snapshot *x)
{
	char id[ID_MAX + 1];

	if (w->by_seq)
		return x->archive.seq == w->seq;
	crypto_hex(x->archive.id, sizeof(x->archive.id), id);
	return x->archive.seq > 0 && strncmp(id, w->id, strlen(w->id)) == 0;
}

static int not_restorable(const struct catalog_stream *s, const struct name *w,
			  const struct snapshot *x, struct err *e)
{
	switch (x->state) {
	case SNAPSHOT_DAMAGED:
		return err_set(e, ERR_DAMAGED, "%s@%s: damaged: %s", s->stream.name,
			       w->text, x->problem);
	case SNAPSHOT_PARTIAL:
		return err_set(
			e, ERR_NOT_FOUND,
			"%s@%s: is the checkpoint of a snapshot that was not finished",
			s->stream.name, w->text);
	case SNAPSHOT_ABANDONED:
	case SNAPSHOT_OK:
		break;
	}
	return err_set(e, ERR_NOT_FOUND,
		       "%s@%s: was superseded by another of its number or the next",
		       s->stream.name, w->text);
}

static int find_name(const struct catalog_stream *s, const struct name *w,
		     const struct snapshot **out, struct err *e)
{
	const struct snapshot *ok = NULL, *other = NULL;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct snapshot *x = &s->snapshots[i];

		if (!name_fits(w, x))
			continue;
		if (x->state == SNAPSHOT_OK) {
			ok = x;
			n++;
		} else if (!other || x->state == SNAPSHOT_DAMAGED) {
			other = x;
		}
	}
	if (n > 1)
		return err_set(e, ERR_REFUSED,
			       "%s@%s: several snapshots; give more of an id",
			       s->stream.name, w->text);
	if (!ok && other && other->state == SNAPSHOT_DAMAGED && w->damaged)
		ok = other;
	if (!ok && other)
		return not_restorable(s, w, other, e);
	if (!ok)
		return err_set(e, ERR_NOT_FOUND, "%s@%s: no such snapshot",
			       s->stream.name, w->text);
	*out = ok;
	return 0;
}

/* An id, or the beginning of one. */
static bool id_decode(const char *which, struct name *w)
{
	bool marked = strncmp(which, "id:", 3) == 0;
	const char *hex = marked ? which + 3 : which;
	size_t len = strlen(hex);

	if (!all_of(hex, HEX) || len > ID_MAX || (!marked && len < ID_MIN))
		return false;
	for (size_t i = 0; i <= len; i++)
		w->id[i] = (char)(hex[i] >= 'A' && hex[i] <= 'F' ? hex[i] + ('a' - 'A')
								 : hex[i]);
	return true;
}

/* ---- dates ---- */

/* N digits at *P. */
static bool take_digits(const char **p, size_t n, int *out)
{
	*out = 0;
	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return true;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* YYYY-MM-DD, and THH:MM[Z] if it goes on.  *TIMED and *UTC say what there was. */
static bool date_parse(const char *p, struct tm *tm, bool *timed, bool *utc)
{
	*tm = (struct tm){ .tm_isdst = -1 };
	*timed = *utc = false;
	if (!take_digits(&p, 4, &tm->tm_year) || !take_char(&p, '-') ||
	    !take_digits(&p, 2, &tm->tm_mon) || !take_char(&p, '-') ||
	    !take_digits(&p, 2, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	if (!*p)
		return true;
	*timed = take_char(&p, 'T') && take_digits(&p, 2, &tm->tm_hour) &&
		 take_char(&p, ':') && take_digits(&p, 2, &tm->tm_min);
	*utc = *timed && take_char(&p, 'Z');
	return *timed && !*p;
}

/* Is there such a day, such a minute? */
static bool date_exists(const struct tm *tm)
{
	struct tm day = { .tm_year = tm->tm_year,
			  .tm_mon = tm->tm_mon,
			  .tm_mday = tm->tm_mday };

	(void)timegm(&day);
	return day.tm_mon == tm->tm_mon && tm->tm_hour < 24 && tm->tm_min < 60;
}

/* The first millisecond after what the date names: 0, or 1 where it is not a date. */
static int date_end(const char *which, int64_t *end)
{
	struct tm tm;
	bool timed, utc;
	time_t t;

	if (!date_parse(which, &tm, &timed, &utc) || !date_exists(&tm))
		return 1;
	if (timed) {
		t = (utc ? timegm(&tm) : mktime(&tm)) + 60;
	} else {
		tm.tm_mday++; /* a day need not have 24 hours */
		t = mktime(&tm);
	}
	*end = (int64_t)t * 1000;
	return 0;
}

/* Of those before END the one with the latest time; among equals the last in order. */
static int find_date(const struct catalog_stream *s, const char *which, int64_t end,
		     const struct snapshot **out, struct err *e)
{
	const struct snapshot *best = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct snapshot *x = &s->snapshots[i];

		if (x->state == SNAPSHOT_OK && catalog_time(x) < end &&
		    (!best || catalog_time(x) >= catalog_time(best)))
			best = x;
	}
	if (!best)
		return err_set(e, ERR_NOT_FOUND,
			       "%s@%s: no restorable snapshot is that old",
			       s->stream.name, which);
	*out = best;
	return 0;
}

static int which_find(const struct catalog_stream *s, const char *which, bool damaged,
		      const struct snapshot **out, struct err *e)
{
	struct name w = { .text = which, .damaged = damaged };
	int64_t end;

	if (strcmp(which, "latest") == 0)
		return find_latest(s, 0, out, e);
	if (strncmp(which, "latest~", 7) == 0 && all_of(which + 7, DIGITS))
		return find_latest(s, number_of(which + 7), out, e);
	if (all_of(which, DIGITS)) {
		w.by_seq = true;
		w.seq = number_of(which);
		return w.seq == 0
			       ? err_set(e, ERR_NOT_FOUND, "%s@%s: numbers begin with 1",
					 s->stream.name, which)
			       : find_name(s, &w, out, e);
	}
	if (id_decode(which, &w))
		return find_name(s, &w, out, e);
	if (date_end(which, &end) == 0)
		return find_date(s, which, end, out, e);
	return err_set(
		e, ERR_USAGE,
		"\"%s\": not a snapshot: expected latest, latest~N, a number, an id "
		"(8 hex digits or more), or YYYY-MM-DD[THH:MM[Z]]",
		which);
}

int catalog_which(const struct catalog_stream *s, const char *which,
		  const struct snapshot **out, struct err *e)
{
	return which_find(s, which, false, out, e);
}

int catalog_which_damaged(const struct catalog_stream *s, const char *which,
			  const struct snapshot **out, struct err *e)
{
	return which_find(s, which, true, out, e);
}
