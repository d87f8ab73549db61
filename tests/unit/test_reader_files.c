/* A snapshot of many parts, and how many files may be open. */
#include "archive_kit.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct writer_result many;

/* Write a snapshot of more than 30 parts. */
static void write_many(void)
{
	static const struct fake f = { .header = 512, .body = 4096 * 2000, .seed = 7 };
	char name[600];

	many = kit_write(1, NULL, &f, 1, 18);
	kit_name(&many.archive, 30, name);
	assert_true(kit_size(name) > 0);
}

/* Read it all in a process that may open SOFT files, and raise that to HARD.  Returns
 * what the process ended with: 0 it was read, 1 it was not and *e is good, 2 it was not
 * and is not. */
static int read_limited(rlim_t soft, rlim_t hard)
{
	struct rlimit l = { .rlim_cur = soft, .rlim_max = hard };
	struct err e = ERR_EMPTY;
	struct reader_entry en;
	struct reader *r = NULL;
	char name[600];
	int status, found;
	pid_t child = fork();

	if (child != 0) {
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		return WEXITSTATUS(status);
	}
	kit_name(&many.archive, 0, name);
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		_exit(3);
	found = reader_open(kit.store, &kit.d, name, &kit.reader_keys, &r, &e);
	if (found == 0)
		reader_check_all(r);
	while (found == 0)
		found = reader_next(r, &en, &e);
	if (found > 0)
		_exit(0);
	(void)fprintf(stderr, "%s\n", e.text);
	_exit(e.kind == ERR_FAILED && strstr(e.text, "LimitNOFILE=") &&
			      strstr(e.text, "ulimit -n")
		      ? 1
		      : 2);
}

/* The limit in force is raised as far as the process may. */
static void test_raised(void **state)
{
	(void)state;
	write_many();
	assert_int_equal(read_limited(16, 1024), 0);
}

/* Where that is not enough, the error says what to do. */
static void test_not_enough(void **state)
{
	(void)state;
	write_many();
	assert_int_equal(read_limited(16, 16), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_raised, kit_setup, kit_teardown),
		cmocka_unit_test_setup_teardown(test_not_enough, kit_setup, kit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
