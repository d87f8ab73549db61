/* Paper text of the recovery key (docs/format.md section 2): 36 bytes as 58 groups of
 * five bits in six lines, each with a check character.  37 is prime and the weights are 1
 * to 10, so a check character finds every wrong character and every two neighbours
 * swapped in its line; three bytes of hash find the rest.  Declared in key.h. */
#include <stdio.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/key.h"
#include "base/err.h"

#define LINES 6
#define VERSION 1
#define BLOB_LEN 36 /* 01 ‖ S ‖ hash[0..3) */
#define HASHED 33

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

/* The key while it is read or written, in locked memory. */
struct paper {
	uint8_t blob[BLOB_LEN + 1]; /* and the last two bits, which are zero */
	uint8_t hash[16];
	unsigned line; /* from 1 */
	unsigned at;   /* characters of the line so far */
	unsigned sum;
	unsigned group;
};

static unsigned line_len(unsigned line) { return line == LINES ? 8 : 10; }

static unsigned check_value(const struct paper *p)
{
	return (p->sum + 11 * p->line) % 37;
}

static void hash_blob(struct paper *p)
{
	crypto_b2("vs1.paper", NULL, 0, p->blob, HASHED, p->hash, sizeof(p->hash));
}

static unsigned get_group(const struct paper *p, unsigned group)
{
	unsigned v = 0;

	for (unsigned bit = 5 * group; bit < 5 * group + 5; bit++)
		v = v << 1 | ((unsigned)p->blob[bit / 8] >> (7 - bit % 8) & 1);
	return v;
}

static void put_group(struct paper *p, unsigned v)
{
	unsigned bit = 5 * p->group++;

	for (unsigned i = 0; i < 5; i++, bit++) {
		unsigned one = v >> (4 - i) & 1U;

		p->blob[bit / 8] = (uint8_t)(p->blob[bit / 8] | one << (7 - bit % 8));
	}
}

static char *write_line(struct paper *p, char *out)
{
	unsigned len = line_len(p->line);

	p->sum = 0;
	for (unsigned i = 1; i <= len; i++) {
		unsigned v = get_group(p, p->group++);

		p->sum += i * v;
		*out++ = alphabet[v];
		if (i == len / 2 || i == len)
			*out++ = ' ';
	}
	*out++ = alphabet[check_value(p)];
	*out++ = '\n';
	return out;
}

void key_paper(const struct secret *s, char out[KEY_PAPER_MAX])
{
	struct paper p = { .line = 1 };

	p.blob[0] = VERSION;
	memcpy(p.blob + 1, s->b, sizeof(s->b));
	hash_blob(&p);
	memcpy(p.blob + HASHED, p.hash, BLOB_LEN - HASHED);
	for (; p.line <= LINES; p.line++)
		out = write_line(&p, out);
	*out = '\0';
	crypto_wipe(&p, sizeof(p));
}

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

/* Value of C among the first N of the alphabet; -1 if it is none of them. */
static int value_of(char c, size_t n)
{
	const char *found = c ? memchr(alphabet, upper(c), n) : NULL;

	return found ? (int)(found - alphabet) : -1;
}

static int data_value(char c)
{
	char u = upper(c);

	if (u == 'O')
		return 0;
	return u == 'I' || u == 'L' ? 1 : value_of(c, 32);
}

static int mistyped(unsigned line, struct err *e)
{
	return err_set(e, ERR_KEY, "recovery key: line %u is mistyped", line);
}

static int read_char(struct paper *p, char c, struct err *e)
{
	int v;

	if (p->line > LINES)
		return err_set(e, ERR_KEY, "recovery key: more than six lines");
	if (p->at < line_len(p->line)) {
		v = data_value(c);
		if (v < 0)
			return mistyped(p->line, e);
		p->sum += ++p->at * (unsigned)v;
		put_group(p, (unsigned)v);
		return 0;
	}
	if (value_of(c, sizeof(alphabet) - 1) != (int)check_value(p))
		return mistyped(p->line, e);
	p->line++;
	p->at = p->sum = 0;
	return 0;
}

static bool is_ignored(char c) { return c && strchr(" \t\r\n\v\f-", c); }

static int read_text(struct paper *p, const char *text, size_t n, struct err *e)
{
	bool begins = true; /* of a line of the text, where a comment may begin */
	bool comment = false;

	for (size_t i = 0; i < n; i++) {
		comment = comment || (begins && text[i] == '#');
		begins = text[i] == '\n';
		if (begins)
			comment = false;
		else if (!comment && !is_ignored(text[i]) && read_char(p, text[i], e) < 0)
			return -1;
	}
	if (p->line <= LINES)
		return err_set(e, ERR_KEY, "recovery key: line %u is incomplete",
			       p->line);
	return 0;
}

static int read_key(struct paper *p, const char *text, size_t n, struct secret **out,
		    struct err *e)
{
	p->line = 1;
	if (read_text(p, text, n, e) < 0)
		return -1;
	hash_blob(p);
	if (p->blob[0] != VERSION || p->blob[BLOB_LEN] != 0 ||
	    !crypto_equal(p->hash, p->blob + HASHED, BLOB_LEN - HASHED))
		return err_set(
			e, ERR_KEY,
			"recovery key: mistyped, though each line fits for "
			"itself: compare the order of the lines, then each character");
	*out = secret_new(e);
	if (!*out)
		return -1;
	memcpy((*out)->b, p->blob + 1, sizeof((*out)->b));
	return 0;
}

int key_from_paper(const char *text, size_t n, struct secret **out, struct err *e)
{
	struct paper *p = crypto_lock(sizeof(*p), e);
	int result = p ? read_key(p, text, n, out, e) : -1;

	crypto_unlock(p);
	return result;
}
