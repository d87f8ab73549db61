/* Configuration: what the files may say, and what mistakes are told. */
#include "config_kit.h"

/* ---- names ---- */

/* `name =` names a volume that cannot be a section, and finds it; the label is then no
 * name. */
static void test_long_name(void **state)
{
	static const char id[] =
		"3f9a2c7e51b04d6f8a1e0c9d7b5a3f2e3f9a2c7e51b04d6f8a1e0c9d7b5a3f2e";
	auto_config struct config c = CONFIG_EMPTY;
	char text[200];

	(void)state;
	(void)snprintf(text, sizeof(text), "[volume short]\nname = %s\n", id);
	c = load(text);
	assert_non_null(config_find(&c, id));
	assert_null(config_find(&c, "short"));
	(void)snprintf(text, sizeof(text), "[volume %s]\n", id);
	refuse(text, 1, "longer than 49 letters");
}

/* Section names of 49 letters are taken whole, 50 are refused: inih would cut them, and
 * two volumes would be one. */
static void test_section_length(void **state)
{
	static const char base[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddee";
	auto_config struct config c = CONFIG_EMPTY;
	char text[200];

	(void)state;
	assert_int_equal(strlen("volume ") + strlen(base), 49);
	(void)snprintf(text, sizeof(text), "[volume %s]\n[volume %.41sX]\n", base, base);
	c = load(text);
	assert_int_equal(c.n_volumes, 2);
	assert_non_null(config_find(&c, base));
	(void)snprintf(text, sizeof(text), "[volume %sX]\n", base);
	refuse(text, 1, "longer than 49 letters");
}

/* A volume and a bind, or two volumes, of one name are an error that names both places.
 */
static void test_one_name(void **state)
{
	(void)state;
	refuse("[volume db]\n[bind db]\npath = /x\n", 2, "[volume db] at ");
	refuse("[bind db]\npath = /x\n\n[volume db]\n", 4, "[bind db] at ");
	refuse("[volume a]\n[volume *]\n[volume db]\n[bind db]\npath = /x\n", 4,
	       "main:3: rename");
	refuse("[volume x]\nname = db\n[volume db]\n", 3, "[volume x] at ");
	refuse("[volume db]\n[volume a]\n[volume x]\nname = db\n", 3, "main:1: rename");
}

/* Names are those docker allows. */
static void test_volume_names(void **state)
{
	static const char *const good[] = { "a", "0", "A.b_c-D", "9..", "a-" };
	static const char *const bad[] = { ".a", "-a", "_a",	   "a/b", "a b",
					   "a*", "**", "\xc3\xa4", "a%",  "a@b" };
	char text[400], long_name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text), "[volume %s]\n", good[i]);
		c = load(text);
		assert_non_null(config_find(&c, good[i]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "[volume %s]\n", bad[i]);
		refuse(text, 1, "a letter or digit");
		(void)snprintf(text, sizeof(text), "[bind %s]\npath = /x\n", bad[i]);
		refuse(text, 1, "a letter or digit");
		(void)snprintf(text, sizeof(text), "[volume x]\nname = %s\n", bad[i]);
		refuse(text, 2, "a letter or digit");
	}
	refuse("[bind *]\n", 1, "a letter or digit");
	refuse("[volume *]\nname = x\n", 2, "move it to [volume NAME]");
	memset(long_name, 'a', sizeof(long_name));
	(void)snprintf(text, sizeof(text), "[volume x]\nname = %.256s\n", long_name);
	refuse(text, 2, "at most 255");
}

/* ---- lines ---- */

/* Blanks around keys and values, blank lines, comments, CR LF and a missing last line
 * break do not matter. */
static void test_blanks(void **state)
{
	auto_config struct config c =
		load("\xef\xbb\xbf# c\r\n  ; also\r\n\t# and\r\n\r\n   \r\n"
		     "[volume db]  \r\nkeep=a\r\nschedule \t=\t b c \t\r\n"
		     ";quiesce = stop\n#quiesce = stop\nexclude =a;b#c");

	(void)state;
	assert_string_equal(c.volumes[0].keep, "a");
	assert_string_equal(c.volumes[0].schedule, "b c");
	assert_string_equal(c.volumes[0].quiesce, "auto");
	assert_string_equal(c.volumes[0].exclude[0], "a;b#c");
}

/* ` ;` and ` #` are kept in double quotes and refused outside (trap T63); quotes around a
 * whole value are no part of it, others are. */
static void test_quotes(void **state)
{
	static const struct {
		const char *raw, *value;
	} good[] = {
		{ "\"a ;b\"", "a ;b" },
		{ "\"a #b\"", "a #b" },
		{ "\" a \"", " a " },
		{ "\"#a#\"", "#a#" },
		{ "a\" ;\"b", "a\" ;\"b" },
		{ "\"a\" \"b\"", "\"a\" \"b\"" },
		{ "a;b", "a;b" },
		{ "a\"b\"", "a\"b\"" },
		{ "x = y : z", "x = y : z" },
	};
	static const char *const bad[] = { "a ;b", "a\t;b", "a #b",	"a\t#b",
					   "; c",  "# c",   "\"a\" ;c", "\"a\" # c" };
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text), "[volume db]\nexclude = %s\n",
			       good[i].raw);
		c = load(text);
		assert_string_equal(c.volumes[0].exclude[0], good[i].value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "[volume db]\nexclude = %s\n", bad[i]);
		refuse(text, 2, "put a comment on a line of its own");
	}
	refuse("[volume db]\nexclude = \"a\n", 2, "a double quote is not closed");
	refuse("[volume db]\nexclude = a\"\n", 2, "a double quote is not closed");
}

/* Lines of 4096 bytes are taken whole and longer ones refused, where inih would cut both
 * at 199 (trap T63). */
static void test_long_lines(void **state)
{
	static const size_t lengths[] = { 150, 187, 188, 189,  199,
					  200, 201, 400, 4000, 4086 };
	static char text[5000], value[4200];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		auto_config struct config c = CONFIG_EMPTY;

		for (size_t k = 0; k < lengths[i]; k++)
			value[k] = (char)('a' + k % 26);
		value[lengths[i]] = '\0';
		(void)snprintf(text, sizeof(text),
			       "[volume db]\nexclude = %s\nkeep = z\n", value);
		c = load(text);
		assert_string_equal(c.volumes[0].exclude[0], value);
		assert_string_equal(c.volumes[0].keep, "z");
	}
	value[4086] = 'x';
	value[4087] = '\0';
	(void)snprintf(text, sizeof(text), "[volume db]\nexclude = %s\n", value);
	refuse(text, 2, "longer than 4096 bytes");
	memset(text, '#', 4097);
	text[4097] = '\0';
	refuse(text, 1, "longer than 4096 bytes");
}

/* Leading blanks before a key or a section are refused: inih takes such a line for more
 * of the value before. */
static void test_leading_blanks(void **state)
{
	(void)state;
	refuse("[volume db]\nexclude = a\n  exclude = b\n", 3, "first column");
	refuse("[volume db]\nexclude = a\n\tb\n", 3, "first column");
	refuse(" [volume db]\n", 1, "first column");
}

/* Lines that are no section, key or comment are refused. */
static void test_nonsense(void **state)
{
	(void)state;
	refuse("[volume db\n", 1, "not a section");
	refuse("[volume db;\n", 1, "not a section");
	refuse("[]\n", 1, "not a section");
	refuse("[volume db] # c\n", 1, "not a section");
	refuse("[volume db]]\n", 1, "not a section");
	refuse("[volume ;db]\n", 1, "not a section");
	refuse("[volume db]\nschedule\n", 2, "write KEY = VALUE");
	refuse("[volume db]\nschedule: daily\n", 2, "write KEY = VALUE");
	refuse("[volume db]\nschedule: a = b\n", 2, "not a key");
	refuse("[volume db]\n= daily\n", 2, "write KEY = VALUE");
	refuse("[volume db]\n\"keep\" = a\n", 2, "not a key");
	refuse("[volume db]\nke ep = a\n", 2, "not a key");
	refuse("[volume db]\nkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk = a\n", 2,
	       "not a key");
	refuse("keep = a\n", 1, "before the first section");
	refuse("[volume db]\nkeep = a\x01\n", 2, "control character");
	refuse("[volume db]\nkeep = a\rb\n", 2, "control character");
	refuse("[volume db]\n# \x7f\n", 2, "control character");
	put_bytes(main_file, "[volume db]\nkeep = a\0b\n", 23);
	refuse_all("main:2", "control character");
}

/* Of several mistakes the first is told. */
static void test_first_mistake(void **state)
{
	(void)state;
	refuse("[volume db]\nkep = a\nnonsense\n[x]\n", 2, "did you mean keep?");
	refuse("[volume db]\nnonsense\nkep = a\n[x]\n", 2, "write KEY = VALUE");
	refuse("[x]\nkep = a\n[volume db]\nkeep = a\nkeep = a\n", 1, "unknown section");
}

/* ---- unknown words ---- */

/* Unknown sections and keys are errors, with the name that was probably meant. */
static void test_unknown(void **state)
{
	(void)state;
	refuse("[volum db]\n", 1, "did you mean [volume NAME]?");
	refuse("[sotre]\n", 1, "did you mean [store]?");
	refuse("[Host]\n", 1, "did you mean [host]?");
	refuse("[networking]\n", 1, "there are [host]");
	refuse("[volume]\n", 1, "write [volume NAME]");
	refuse("[bind]\n", 1, "write [bind NAME]");
	refuse("[store main]\n", 1, "write [store]");
	refuse("[ host]\n", 1, "unknown section");
	refuse("[defaults]\nkep = last:3\n", 2, "did you mean keep?");
	refuse("[defaults]\nexcludes = a\n", 2, "did you mean exclude?");
	refuse("[defaults]\nQuiesce = a\n", 2, "did you mean quiesce?");
	refuse("[store]\nmax_szie = 1G\n", 2, "did you mean max_size?");
	refuse("[defaults]\nabsolutely = 1\n", 2,
	       "unknown key absolutely in [defaults]: correct");
}

/* A key that is known but stands in the wrong section is told where it belongs. */
static void test_misplaced(void **state)
{
	(void)state;
	refuse("[defaults]\nlocation = /x\n", 2, "move it to [store]");
	refuse("[store]\nexclude = x\n", 2, "move it to [defaults]");
	refuse("[volume db]\npath = /x\n", 2, "move it to [bind NAME]");
	refuse("[bind x]\nname = y\n", 2, "name does not belong in [bind]");
	refuse("[volume db]\nsocket = /x\n", 2, "move it to [engine]");
}

/* ---- values ---- */

/* Values that a key cannot have are refused, and the message says what it can have. */
static void test_bad_values(void **state)
{
	static const struct {
		const char *section, *line, *says;
	} cases[] = {
		{ "host", "name = a b", "1 to 63" },
		{ "host", "name =", "has no value" },
		{ "store", "location = srv", "absolute path" },
		{ "store", "location = sftp://x", "absolute path" },
		{ "store", "max_size = 1T", "K, M or G" },
		{ "store", "max_size = 1.5G", "K, M or G" },
		{ "store", "max_size = -1", "K, M or G" },
		{ "store", "max_size = G", "K, M or G" },
		{ "store", "max_size = 1GB", "K, M or G" },
		{ "store", "max_size = 1 G", "K, M or G" },
		{ "store", "max_size = 1k", "K, M or G" },
		{ "store", "max_size = 8589934592G", "too large" },
		{ "store", "max_size = 17179869185G", "too large" },
		{ "store", "max_size = 9223372036854775808", "too large" },
		{ "store", "max_size = 18446744073709551617", "too large" },
		{ "store", "max_size = 18446744073709551620", "too large" },
		{ "store", "grace = 7", "s, m, h or d" },
		{ "store", "grace = 00", "s, m, h or d" },
		{ "store", "grace = 1w", "s, m, h or d" },
		{ "store", "grace = 1h30m", "s, m, h or d" },
		{ "store", "grace = 36501d", "too large" },
		{ "store", "grace = 213503982335d", "too large" },
		{ "store", "grace = 18446744073709551617s", "too large" },
		{ "store", "read_back = true", "yes or no" },
		{ "keys", "directory = ~/keys", "absolute path" },
		{ "state", "directory = .", "absolute path" },
		{ "engine", "kind = lxc", "auto docker podman none" },
		{ "engine", "socket = unix:///run/x", "absolute path" },
		{ "engine", "volumes_dir = v", "absolute path" },
		{ "bind b", "path = srv/html", "absolute path" },
		{ "defaults", "schedule =", "has no value" },
		{ "defaults", "keep = \"\"", "has no value" },
		{ "defaults", "min_keep = -1", "whole number" },
		{ "defaults", "min_keep = 1x", "whole number" },
		{ "defaults", "min_keep = 1000000001", "too large" },
		{ "defaults", "one_file_system = 1", "yes or no" },
		{ "defaults", "compression = 10", "off, or 1 to 9" },
		{ "defaults", "compression = 0", "off, or 1 to 9" },
		{ "defaults", "compression = on", "off, or 1 to 9" },
		{ "defaults", "quiesce = freeze",
		  "auto btrfs reflink two-pass pause stop none" },
		{ "defaults", "quiesce = auto btrfs", "must be one of" },
		{ "defaults", "quiesce = Auto", "must be one of" },
		{ "defaults", "max_pause = 10", "s, m, h or d" },
		{ "defaults", "max_pause_then = continue", "fail live" },
		{ "defaults", "checkpoint = 0.5h", "s, m, h or d" },
		{ "defaults", "racy_window =", "has no value" },
		{ "defaults", "max_age = never", "s, m, h or d" },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(text, sizeof(text), "[%s]\n\n%s\n", cases[i].section,
			       cases[i].line);
		refuse(text, 3, cases[i].says);
	}
	(void)snprintf(text, sizeof(text), "[host]\nname = %064d\n", 0);
	refuse(text, 2, "1 to 63");
	refuse("[volume a]\n\n[bind b]\nkeep = x\n", 3, "add path = ");
}

/* Sizes and times at their limits, all words and all levels are taken. */
static void test_good_values(void **state)
{
	static const char *const words[] = { "auto",  "btrfs", "reflink", "two-pass",
					     "pause", "stop",  "none" };
	static const char *const engines[] = { "auto", "docker", "podman", "none" };
	static const struct {
		const char *text;
		uint64_t ms;
	} times[] = { { "1s", 1000 },
		      { "2m", 120000 },
		      { "3h", 10800000 },
		      { "4d", 345600000 },
		      { "0s", 0 },
		      { "007s", 7000 },
		      { "36500d", 36500ULL * 86400000ULL } };
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = { { "0", 0 },
		      { "9223372036854775807", INT64_MAX },
		      { "8589934591G", 8589934591ULL << 30 },
		      { "3M", 3ULL << 20 },
		      { "5K", 5ULL << 10 } };
	char text[200];

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text),
			       "[volume v]\nquiesce = %s\nmax_age = %s\n", words[i],
			       times[i].text);
		c = load(text);
		assert_string_equal(c.volumes[0].quiesce, words[i]);
		assert_true(c.volumes[0].max_age_ms == times[i].ms);
	}
	for (int i = 1; i <= 9; i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text), "[volume v]\ncompression = %d\n", i);
		c = load(text);
		assert_int_equal(c.volumes[0].compression, i);
	}
	for (size_t i = 0; i < 4; i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text), "[engine]\nkind = %s\n", engines[i]);
		c = load(text);
		assert_int_equal(c.engine, i);
	}
	for (size_t i = 0; i < 5; i++) {
		uint64_t bytes = 1;

		assert_null(
			config_value_problem(CONFIG_SIZE, NULL, sizes[i].text, &bytes));
		assert_true(bytes == sizes[i].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_long_name, clear_conf_d),
		cmocka_unit_test_setup(test_section_length, clear_conf_d),
		cmocka_unit_test_setup(test_one_name, clear_conf_d),
		cmocka_unit_test_setup(test_volume_names, clear_conf_d),
		cmocka_unit_test_setup(test_blanks, clear_conf_d),
		cmocka_unit_test_setup(test_quotes, clear_conf_d),
		cmocka_unit_test_setup(test_long_lines, clear_conf_d),
		cmocka_unit_test_setup(test_leading_blanks, clear_conf_d),
		cmocka_unit_test_setup(test_nonsense, clear_conf_d),
		cmocka_unit_test_setup(test_first_mistake, clear_conf_d),
		cmocka_unit_test_setup(test_unknown, clear_conf_d),
		cmocka_unit_test_setup(test_misplaced, clear_conf_d),
		cmocka_unit_test_setup(test_bad_values, clear_conf_d),
		cmocka_unit_test_setup(test_good_values, clear_conf_d),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
