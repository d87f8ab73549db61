/* The recovery key as text on paper: what is written, and which slips of a typist are
 * found. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/crypto.h"
#include "key_kit.h"

static int group_setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	return crypto_init(&e);
}

static void refuse_paper(const char *text, size_t n, const char *says)
{
	struct err e = ERR_EMPTY;
	struct secret *back = NULL;

	assert_int_equal(key_from_paper(text, n, &back, &e), -1);
	assert_int_equal(e.kind, ERR_KEY);
	assert_null(back);
	if (!strstr(e.text, says))
		fail_msg("\"%s\" does not say \"%s\" for:\n%.*s", e.text, says, (int)n,
			 text);
}

static void accept_paper(const char *text, size_t n, const struct secret *s)
{
	struct err e = ERR_EMPTY;
	struct secret *back = NULL;

	if (key_from_paper(text, n, &back, &e) != 0)
		fail_msg("%s: %.*s", e.text, (int)n, text);
	assert_memory_equal(back->b, s->b, 32);
	secret_free(back);
}

/* The paper text of a known key is this text, computed with the Python reader's formula,
 * and has the form of section 2. */
static void test_paper_known(void **state)
{
	struct secret *s = known_secret();
	char text[KEY_PAPER_MAX];

	(void)state;
	key_paper(s, text);
	assert_string_equal(text, "041GM 48R3W S\n"
				  "K2TD1 V894N D\n"
				  "0NTYC NP76Y R\n"
				  "M1H27 SD7D4 P\n"
				  "NESBK G67SV 8\n"
				  "AXSM YNXC D\n");
	secret_free(s);
}

static bool is_check(const char *text, size_t i) { return text[i + 1] == '\n'; }

/* Each line ends with the check character of section 2. */
static void check_checks(const char *text)
{
	static const char words[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

	for (int line = 1; line <= 6; line++, text = strchr(text, '\n') + 1) {
		int sum = 11 * line, i = 1;

		for (; !is_check(text, 0); text++)
			if (*text != ' ')
				sum += i++ * (int)(strchr(words, *text) - words);
		assert_int_equal(*text, words[sum % 37]);
	}
}

/* What is written reads back, for keys of all sorts. */
static void test_paper_round_trip(void **state)
{
	struct err e = ERR_EMPTY;
	char text[KEY_PAPER_MAX];

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct secret *s = secret_random(&e);

		if (i < 2)
			memset(s->b, i ? 0xff : 0, 32);
		key_paper(s, text);
		check_checks(text);
		accept_paper(text, strlen(text), s);
		secret_free(s);
	}
}

/* The number of the line that character I of TEXT stands in, as the message says it. */
static void line_phrase(const char *text, size_t i, char out[32])
{
	int line = 1;

	for (size_t k = 0; k < i; k++)
		line += text[k] == '\n';
	(void)snprintf(out, 32, "line %d is mistyped", line);
}

/* Whether a reader takes A and B for the same at that place. */
static bool same_character(char a, char b, bool check)
{
	a = (char)toupper(a);
	b = (char)toupper(b);
	if (!check) {
		a = a == 'O' ? '0' : (a == 'I' || a == 'L') ? '1' : a;
		b = b == 'O' ? '0' : (b == 'I' || b == 'L') ? '1' : b;
	}
	return a == b;
}

/* Any one character typed wrong is found, in the line where it stands. */
static void test_paper_substitutions(void **state)
{
	struct secret *s = known_secret();
	char good[KEY_PAPER_MAX], text[KEY_PAPER_MAX], says[32];

	(void)state;
	key_paper(s, good);
	for (size_t i = 0; good[i]; i++) {
		if (isspace(good[i]))
			continue;
		line_phrase(good, i, says);
		for (int c = 1; c < 256; c++) {
			if (isspace(c) || c == '-' ||
			    same_character((char)c, good[i], is_check(good, i)))
				continue;
			if (c == '#' && (i == 0 || good[i - 1] == '\n'))
				continue; /* makes the line a comment: tested below */
			memcpy(text, good, sizeof(text));
			text[i] = (char)c;
			refuse_paper(text, strlen(text), says);
		}
	}
	secret_free(s);
}

/* Any two neighbours of a line swapped are found there, blanks between them or not. */
static void test_paper_transpositions(void **state)
{
	struct err e = ERR_EMPTY;
	char good[KEY_PAPER_MAX], text[KEY_PAPER_MAX], says[32];

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct secret *s = secret_random(&e);

		key_paper(s, good);
		for (size_t i = 0; good[i]; i++) {
			size_t next = good[i + 1] == ' ' ? i + 2 : i + 1;

			if (isspace(good[i]) || good[next] == '\n' ||
			    good[i] == good[next])
				continue;
			memcpy(text, good, sizeof(text));
			text[i] = good[next];
			text[next] = good[i];
			line_phrase(good, i, says);
			refuse_paper(text, strlen(text), says);
		}
		secret_free(s);
	}
}

/* Two whole lines swapped are found, since the check knows its line's number. */
static void test_paper_lines_swapped(void **state)
{
	struct secret *s = known_secret();
	char good[KEY_PAPER_MAX], text[KEY_PAPER_MAX];

	(void)state;
	key_paper(s, good);
	for (size_t i = 0; i < 4; i++) {
		memcpy(text, good, sizeof(text));
		memcpy(text + 14 * i, good + 14 * (i + 1), 14);
		memcpy(text + 14 * (i + 1), good + 14 * i, 14);
		refuse_paper(text, strlen(text), "is mistyped");
	}
	secret_free(s);
}

/* Case, blanks, dashes, line breaks and O for 0, I and L for 1 do not matter; comments
 * are passed over. */
static void test_paper_lenient(void **state)
{
	struct err e = ERR_EMPTY;
	char good[KEY_PAPER_MAX], text[4 * KEY_PAPER_MAX];

	(void)state;
	for (int round = 0; round < 100; round++) {
		struct secret *s = secret_random(&e);
		size_t n = 0;

		key_paper(s, good);
		n = (size_t)sprintf(text, "# volsnap recovery key 7Q\n#\r\n");
		for (size_t i = 0; good[i]; i++) {
			char c = good[i];

			if (isspace(c)) {
				n += (size_t)sprintf(text + n, c == '\n' ? "\n#x\n" : "");
				continue;
			}
			if (!is_check(good, i))
				c = c == '0' ? 'o' : c == '1' ? "iLlI"[i % 4] : c;
			text[n++] = i % 2 ? (char)tolower(c) : c;
			n += (size_t)sprintf(text + n, "%s", i % 3 ? "-" : " \t\r\n");
		}
		accept_paper(text, n, s);
		secret_free(s);
	}
}

/* As a check character, O is not 0, and I and L are not 1. */
static void test_paper_check_is_strict(void **state)
{
	struct err e = ERR_EMPTY;
	char text[KEY_PAPER_MAX];
	int zeros = 0, ones = 0, others = 0;

	(void)state;
	while (zeros == 0 || ones == 0 || others == 0) {
		struct secret *s = secret_random(&e);
		char *check;

		key_paper(s, text);
		check = strchr(text, '\n') - 1;
		if (*check == '0') {
			*check = 'O';
			zeros++;
			refuse_paper(text, strlen(text), "line 1");
		} else if (*check == '1') {
			*check = ones++ % 2 ? 'I' : 'L';
			refuse_paper(text, strlen(text), "line 1");
		} else if (*check == 'U') {
			*check = 'u';
			others++;
			accept_paper(text, strlen(text), s);
		}
		secret_free(s);
	}
}

/* Text cut anywhere, or with something after it, is refused; so is a line turned into a
 * comment. */
static void test_paper_lengths(void **state)
{
	struct secret *s = known_secret();
	char text[2 * KEY_PAPER_MAX];
	size_t len;

	(void)state;
	key_paper(s, text);
	len = strlen(text);
	for (size_t n = 0; n + 1 < len; n++)
		refuse_paper(text, n, "is incomplete");
	accept_paper(text, len - 1, s); /* only the line break is gone */
	memcpy(text + len, "0", 2);
	refuse_paper(text, len + 1, "more than six lines");
	text[len] = '\0'; /* a NUL is not the end of the text, but a wrong character */
	refuse_paper(text, len + 1, "more than six lines");
	text[5] = '\0';
	refuse_paper(text, len, "line 1 is mistyped");
	text[5] = ' ';
	text[14] = '#';
	refuse_paper(text, len, "line 2 is mistyped");
	secret_free(s);
}

/* Text of another version, and text whose last two bits are not zero, is refused though
 * every check and hash in it fits. */
static void test_paper_version(void **state)
{
	static const char version[] = "081GM48R3W~\n"
				      "K2TD1V894ND\n"
				      "0NTYCNP76YR\n"
				      "M1H27SD7D4P\n"
				      "NESBKG67SV8\n"
				      "AXSYSJT04\n";
	static const char bits[] = "041GM48R3WS\n"
				   "K2TD1V894ND\n"
				   "0NTYCNP76YR\n"
				   "M1H27SD7D4P\n"
				   "NESBKG67SV8\n"
				   "AXSMYNXDN\n";

	(void)state;
	refuse_paper(version, sizeof(version) - 1, "each line fits");
	refuse_paper(bits, sizeof(bits) - 1, "each line fits");
}

/* Two mistakes in one line that its check does not see are found by the hash. */
static void test_paper_hash(void **state)
{
	struct secret *s = known_secret();
	char text[KEY_PAPER_MAX];

	(void)state;
	key_paper(s, text);
	assert_true(text[14] != 'Z' && text[14] != 'Y' && text[15] != '0');
	/* 2 * (v + 0) and 1 * ...: raise character 1 by two, lower character 2 by one */
	text[14] = strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", text[14])[2];
	text[15] = strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", text[15])[-1];
	refuse_paper(text, strlen(text), "each line fits");
	secret_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paper_known),
		cmocka_unit_test(test_paper_round_trip),
		cmocka_unit_test(test_paper_substitutions),
		cmocka_unit_test(test_paper_transpositions),
		cmocka_unit_test(test_paper_lines_swapped),
		cmocka_unit_test(test_paper_lenient),
		cmocka_unit_test(test_paper_check_is_strict),
		cmocka_unit_test(test_paper_lengths),
		cmocka_unit_test(test_paper_version),
		cmocka_unit_test(test_paper_hash),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
