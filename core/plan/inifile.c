/* The one door to inih, and what stands before it.
 *
 * inih as packaged cuts lines at 199 bytes and section names at 49, takes ` ;` for a
 * comment, a line with leading blanks for the value of the key before, and knows no line
 * numbers.  So every line comes from our own reader, which sees it first, counts it, and
 * refuses what inih would take otherwise.  It hands inih section lines and `KEY =`;
 * values of up to 4 KiB never pass through inih's buffer.  After a section's line it adds
 * an empty key, since inih does not tell of sections without keys. */
#include "plan/inifile.h"

#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"

#define BLANKS " \t"

struct reader {
	const char *file;
	const char *p; /* what is left of the file */
	size_t left;
	size_t line;
	bool in_section;
	bool began;			 /* the line just given to inih was a section's */
	char text[INIFILE_LINE_MAX + 1]; /* the line; its value once the key is cut off */
	const char *value;
	const struct inifile_sink *sink;
	struct err *e;
	bool failed; /* *e is filled; nothing more is read */
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct reader *r, const char *fmt,
							...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	(void)err_set(r->e, ERR_CONFIG, "%s:%zu: %s", r->file, r->line, why);
	r->failed = true;
	return false;
}

/* Bytes that no editor shows would make two different texts look the same. */
static bool has_control(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f)
			return true;
	return false;
}

static void trim_end(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && strchr(BLANKS, s[n - 1]))
		n--;
	s[n] = '\0';
}

/* Take the next line of the file into r->text; false at the end, and where it cannot be
 * taken. */
static bool next_line(struct reader *r)
{
	const char *end = r->left ? memchr(r->p, '\n', r->left) : NULL;
	size_t n = end ? (size_t)(end - r->p) : r->left, used = end ? n + 1 : n;

	if (r->left == 0)
		return false;
	r->line++;
	if (n > 0 && r->p[n - 1] == '\r')
		n--;
	if (n > INIFILE_LINE_MAX)
		return wrong(r, "the line is longer than %d bytes: shorten it",
			     INIFILE_LINE_MAX);
	if (has_control(r->p, n))
		return wrong(r, "a control character: remove it");
	memcpy(r->text, r->p, n);
	r->text[n] = '\0';
	trim_end(r->text);
	r->p += used;
	r->left -= used;
	return true;
}

/* "[name]" and nothing else. */
static bool check_section(struct reader *r)
{
	size_t n = strlen(r->text);

	if (n < 3 || r->text[n - 1] != ']' || strcspn(r->text + 1, "[];#") != n - 2)
		return wrong(r, "not a section: write [NAME] alone on its line");
	if (n - 2 > INIFILE_NAME_MAX)
		return wrong(
			r,
			"the section's name is longer than %d letters: give the section "
			"a short name, and a volume its own with a line `name = ...`",
			INIFILE_NAME_MAX);
	return true;
}

/* Comments are lines of their own: outside double quotes a value has no ` ;` nor ` #`. */
static bool check_value(struct reader *r, const char *v)
{
	bool quoted = false;

	for (size_t i = 0; v[i]; i++) {
		bool blank_before = i > 0 && strchr(BLANKS, v[i - 1]);

		if (v[i] == '"')
			quoted = !quoted;
		else if (!quoted && blank_before && (v[i] == ';' || v[i] == '#'))
			return wrong(
				r,
				"` %c` in a value: put a comment on a line of its own, "
				"or the value in double quotes",
				v[i]);
	}
	return !quoted || wrong(r, "a double quote is not closed: close or remove it");
}

/* The value without blanks around it, and without the quotes around the whole of it. */
static char *bare_value(char *v)
{
	size_t n;

	v += strspn(v, BLANKS);
	n = strlen(v);
	if (v[0] == '"' && strchr(v + 1, '"') == v + n - 1) {
		v[n - 1] = '\0';
		v++;
	}
	return v;
}

/* "KEY = VALUE": leaves the key in r->text and the value in r->value. */
static bool split_key(struct reader *r)
{
	char *equals = strchr(r->text, '=');

	if (strchr(BLANKS, r->text[0]))
		return wrong(r, "blanks before a key: begin it in the first column");
	if (!r->in_section)
		return wrong(r,
			     "stands before the first section: put a line such as [host] "
			     "before it");
	if (!equals || equals == r->text)
		return wrong(r,
			     "not understood: write KEY = VALUE, [SECTION], or # and a "
			     "comment");
	*equals = '\0';
	if (!check_value(r, equals + 1))
		return false;
	r->value = bare_value(equals + 1);
	trim_end(r->text);
	if (strlen(r->text) > INIFILE_NAME_MAX ||
	    strcspn(r->text, BLANKS ":;#\"[]") != strlen(r->text))
		return wrong(r, "not a key: write KEY = VALUE");
	return true;
}

/* Blank lines and comments, which inih need not see. */
static bool is_nothing(const char *text)
{
	char first = text[strspn(text, BLANKS)];

	return first == '\0' || first == ';' || first == '#';
}

/* inih's fgets.  A line for inih is at most a section of 49 bytes and its brackets. */
static char *feed(char *out, int size, void *ctx)
{
	struct reader *r = ctx;
	int n;

	if (r->failed)
		return NULL;
	if (r->began) { /* the empty key that stands for the section's beginning */
		r->began = false;
		r->text[0] = '\0';
		r->value = "";
		n = snprintf(out, (size_t)size, "=\n");
		return n < size ? out : NULL;
	}
	do {
		if (!next_line(r))
			return NULL;
	} while (is_nothing(r->text));
	if (r->text[0] == '[') {
		if (!check_section(r))
			return NULL;
		r->began = r->in_section = true;
		n = snprintf(out, (size_t)size, "%s\n", r->text);
	} else {
		if (!split_key(r))
			return NULL;
		n = snprintf(out, (size_t)size, "%s =\n", r->text);
	}
	return n < size ? out : NULL;
}

/* What inih found: 1 is its success. */
static int take(void *ctx, const char *section, const char *name, const char *none)
{
	struct reader *r = ctx;
	int result;

	(void)none;
	result = *name ? r->sink->key(r->sink->ctx, name, r->value, r->line, r->e)
		       : r->sink->section(r->sink->ctx, section, r->line, r->e);
	r->failed = result < 0;
	return !r->failed;
}

int inifile_read(const char *file, const struct inifile_sink *sink, struct err *e)
{
	auto_bytes struct bytes raw = BYTES_EMPTY;
	struct reader r = { .file = file, .sink = sink, .e = e };
	int got = file_load(AT_FDCWD, file, INIFILE_MAX, &raw, e);

	if (got > 0)
		return err_set(e, ERR_CONFIG,
			       "%s: no such file: write it, or name another with -c",
			       file);
	if (got < 0) {
		e->kind = ERR_CONFIG;
		return -1;
	}
	r.p = (const char *)raw.p;
	r.left = raw.len;
	if (r.left >= 3 &&
	    memcmp(r.p, "\xef\xbb\xbf", 3) == 0) { /* some editors' first bytes */
		r.p += 3;
		r.left -= 3;
	}
	got = ini_parse_stream(feed, &r, take, &r);
	if (r.failed)
		return -1;
	if (got != 0 || r.left > 0)
		return err_set(e, ERR_CONFIG, "%s:%zu: not understood", file, r.line);
	return 0;
}
