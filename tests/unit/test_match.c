/* match.c: exclude patterns against a table and against a slow model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "source/match.h"

struct row {
	const char *pattern, *path;
	bool is_dir, matches;
};

static const struct row rows[] = {
	/* without a slash: the name, at any depth */
	{ "cache", "cache", true, true },
	{ "cache", "a/b/cache", false, true },
	{ "cache", "cache/x", false, false },
	{ "cache", "cachet", false, false },
	{ "*.tmp", "a/b.tmp", false, true },
	{ "*.tmp", ".tmp", false, true },
	{ "*.tmp", "a.tmp/b", false, false },
	{ "?", "a/b", false, true },
	{ "?", "a/\xff", false, true },
	{ "?", "a/bc", false, false },
	/* a slash anchors */
	{ "/cache", "cache", false, true },
	{ "/cache", "a/cache", false, false },
	{ "a/cache", "a/cache", false, true },
	{ "a/cache", "b/a/cache", false, false },
	{ "/a/*", "a/b", false, true },
	{ "/a/*", "a", true, false },
	{ "/a/*", "a/b/c", false, false },
	{ "a*c", "a/c", false, false },
	{ "a?c", "a/c", false, false },
	/* a slash at the end: directories only; it does not anchor */
	{ "cache/", "cache", true, true },
	{ "cache/", "x/cache", true, true },
	{ "cache/", "cache", false, false },
	{ "/cache/", "x/cache", true, false },
	/* double stars */
	{ "**", "a", false, true },
	{ "**", "a/b", false, true },
	{ "**/x", "x", false, true },
	{ "**/x", "a/b/x", false, true },
	{ "**/x", "a/xx", false, false },
	{ "a/**", "a", true, false },
	{ "a/**", "a/b", false, true },
	{ "a/**", "a/b/c", false, true },
	{ "a/**/b", "a/b", false, true },
	{ "a/**/b", "a/x/y/b", false, true },
	{ "a/**/b", "a/xb", false, false },
	{ "a/**/b/**/c", "a/b/x/b/c", false, true },
	{ "a/**/b/*/c", "a/b/b/x/c", false, true },
	{ "a/**/b/*/c", "a/b/b/c/x", false, false },
	{ "/**/", "a/b", true, true },
	{ "/**/", "a/b", false, false },
	/* sets */
	{ "[abc]", "b", false, true },
	{ "[a-c]x", "bx", false, true },
	{ "[a-c]x", "dx", false, false },
	{ "[!a-c]", "d", false, true },
	{ "[^a-c]", "b", false, false },
	{ "[]x]", "]", false, true },
	{ "[!]x]", "]", false, false },
	{ "[a-]", "-", false, true },
	{ "[-a]", "-", false, true },
	{ "[\\]]", "]", false, true },
	{ "[a\\-c]", "b", false, false },
	{ "[\x80-\xff]", "\xe4", false, true },
	{ "*[0-9]", "log.7", false, true },
	/* escapes */
	{ "\\*", "*", false, true },
	{ "\\*", "a", false, false },
	{ "a\\?", "a?", false, true },
	{ "\\[a]", "[a]", false, true },
	{ "\\\\", "\\", false, true },
	{ "new\nline", "new\nline", false, true },
};

/* Every kind of pattern matches what match.h says and no more. */
static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];

		assert_null(match_problem(r->pattern));
		if (match_path(r->pattern, r->path, r->is_dir) != r->matches)
			fail_msg("\"%s\" on \"%s\"", r->pattern, r->path);
	}
}

/* A pattern that could match nothing, or not what its writer meant, is refused. */
static void problems(void **state)
{
	static const char *const bad[] = { "",	     "/",   "//",     "a//b", "[",
					   "[]",     "[a",  "[a/b]",  "a\\",  "a\\/b",
					   "a**",    "**b", "x/a**b", ".",    "..",
					   "a/../b", "./a", "[!",     "[\\]", "a//" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!match_problem(bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
}

/* The model: every star tries every length. */
static bool slow(const char *p, const char *s)
{
	if (!*p)
		return !*s;
	if (p[0] == '*' && p[1] == '*') {
		if (!p[2])
			return *s != '\0';
		for (const char *t = s; t; t = strchr(t, '/') ? strchr(t, '/') + 1 : NULL)
			if (slow(p + 3, t))
				return true;
		return false;
	}
	if (*p == '*') {
		for (const char *t = s;; t++) {
			if (slow(p + 1, t))
				return true;
			if (!*t || *t == '/')
				return false;
		}
	}
	if (!*s || (*p == '?' ? *s == '/' : *p != *s))
		return false;
	return slow(p + 1, s + 1);
}

static void random_text(char *out, size_t max, const char *alphabet)
{
	size_t n = 1 + (size_t)random() % max;
	size_t len = 0;

	while (len < n) {
		char c = alphabet[(size_t)random() % strlen(alphabet)];

		if (c == '/' && (len == 0 || out[len - 1] == '/' || len + 1 == n))
			continue;
		out[len++] = c;
	}
	out[len] = '\0';
}

/* On random patterns it agrees with the model, which tries everything. */
static void model(void **state)
{
	char pattern[16] = "/";
	char path[16];
	int n = 0;

	(void)state;
	srandom(7);
	for (int i = 0; i < 400000; i++) {
		random_text(pattern + 1, 10, i % 2 ? "aab*/?" : "ab**//");
		random_text(path, 10, "aab/");
		if (match_problem(pattern))
			continue;
		n += slow(pattern + 1, path);
		if (match_path(pattern, path, false) != slow(pattern + 1, path))
			fail_msg("\"%s\" on \"%s\"", pattern, path);
	}
	assert_true(n > 1000);
}

/* Many stars on a long path take no exponential time. */
static void long_paths(void **state)
{
	static char path[4096], pattern[4096];
	clock_t start = clock();

	(void)state;
	memset(path, 'a', 255);
	for (int i = 0; i < 100; i++)
		strcat(pattern, "*a");
	strcat(pattern, "*b");
	assert_false(match_path(pattern, path, false));
	pattern[0] = path[0] = '\0';
	for (int i = 0; i < 1000; i++)
		strcat(path, "aa/");
	strcat(path, "a");
	for (int i = 0; i < 300; i++)
		strcat(pattern, "**/*a*/");
	strcat(pattern, "b");
	assert_false(match_path(pattern, path, false));
	assert_true(clock() - start < CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(problems),
		cmocka_unit_test(model),
		cmocka_unit_test(long_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
