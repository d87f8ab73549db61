#include "plan/config_value.h"

#include <stddef.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#define LABEL_MAX 63
#define NAME_MAX_LEN 255
#define COUNT_MAX 1000000000ULL
#define SIZE_MAX_BYTES ((uint64_t)INT64_MAX)
#define DURATION_MAX_MS (36500ULL * 86400000ULL) /* a hundred years */

static bool is_of(const char *text, const char *allowed, size_t max)
{
	size_t n = strlen(text);

	return n <= max && strspn(text, allowed) == n;
}

static bool is_volume_name(const char *text)
{
	return is_of(text, LETTERS DIGITS "_.-", NAME_MAX_LEN) && !strchr("_.-", text[0]);
}

/* Place of TEXT in WORDS, which blanks separate; -1 if it is none of them. */
static int word_place(const char *words, const char *text)
{
	size_t n = strlen(text);
	int place = 0;

	while (n > 0 && *words) {
		size_t len = strcspn(words, " ");

		if (len == n && memcmp(words, text, n) == 0)
			return place;
		words += len;
		words += strspn(words, " ");
		place++;
	}
	return -1;
}

static const char *word_problem(const char *words, const char *why, const char *text,
				uint64_t *out)
{
	int place = word_place(words, text);

	if (place < 0)
		return why;
	*out = (uint64_t)place;
	return NULL;
}

/* Digits at *text; false without any, or where the number is over MAX. */
static bool take_number(const char **text, uint64_t max, uint64_t *out)
{
	const char *p = *text;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v) || v > max)
			return false;
	if (p == *text)
		return false;
	*text = p;
	*out = v;
	return true;
}

static bool is_number(const char *text) { return is_of(text, DIGITS, SIZE_MAX); }

static const char *count_problem(const char *text, uint64_t *out)
{
	if (!is_number(text))
		return "must be a whole number";
	return take_number(&text, COUNT_MAX, out) ? NULL : "is too large";
}

/* NUMBER and one letter of UNITS, which are worth FACTORS; ones stand for themselves. */
static const char *unit_problem(const char *text, const char *units,
				const uint64_t *factors, uint64_t max, const char *why,
				uint64_t *out)
{
	size_t digits = strspn(text, DIGITS), n = strlen(text);
	const char *unit = n == digits + 1 ? strchr(units, text[digits]) : NULL;

	if (digits == 0 || !unit)
		return why;
	if (!take_number(&text, max, out) ||
	    __builtin_mul_overflow(*out, factors[unit - units], out) || *out > max)
		return "is too large";
	return NULL;
}

static const char *size_problem(const char *text, uint64_t *out)
{
	static const uint64_t factors[] = { 1ULL << 10, 1ULL << 20, 1ULL << 30 };

	if (is_number(text))
		return take_number(&text, SIZE_MAX_BYTES, out) ? NULL : "is too large";
	return unit_problem(text, "KMG", factors, SIZE_MAX_BYTES,
			    "must be a size: a whole number and K, M or G", out);
}

static const char *duration_problem(const char *text, uint64_t *out)
{
	static const uint64_t factors[] = { 1000, 60000, 3600000, 86400000 };

	if (strcmp(text, "0") == 0) {
		*out = 0;
		return NULL;
	}
	return unit_problem(text, "smhd", factors, DURATION_MAX_MS,
			    "must be a time: a whole number and s, m, h or d", out);
}

static const char *text_problem(enum config_type type, const char *text)
{
	if (type == CONFIG_PATH && text[0] != '/')
		return "must be an absolute path, beginning with /";
	if (type == CONFIG_LABEL && !is_of(text, LETTERS DIGITS "_.-", LABEL_MAX))
		return "must be 1 to 63 of a-z, A-Z, 0-9, _, . and -";
	if (type == CONFIG_VOLUME_NAME && !is_volume_name(text))
		return "must be a volume's name: a letter or digit, then letters, "
		       "digits, _, . "
		       "and -, at most 255";
	return NULL;
}

const char *config_value_problem(enum config_type type, const char *words,
				 const char *text, uint64_t *out)
{
	uint64_t unused;

	out = out ? out : &unused;
	*out = 0;
	if (!*text)
		return "has no value: give it one, or remove the line";
	switch (type) {
	case CONFIG_WORD:
		return word_problem(words, "must be one of", text, out);
	case CONFIG_BOOL:
		return word_problem("no yes", "must be yes or no", text, out);
	case CONFIG_LEVEL:
		return word_problem("off 1 2 3 4 5 6 7 8 9", "must be off, or 1 to 9",
				    text, out);
	case CONFIG_COUNT:
		return count_problem(text, out);
	case CONFIG_SIZE:
		return size_problem(text, out);
	case CONFIG_DURATION:
		return duration_problem(text, out);
	case CONFIG_TEXT:
	case CONFIG_LABEL:
	case CONFIG_VOLUME_NAME:
	case CONFIG_PATH:
		break;
	}
	return text_problem(type, text);
}
