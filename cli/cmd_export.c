#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scope.h"
#include "cli.h"
#include "job/export.h"
#include "job/find.h"
#include "opened.h"

/* 0 and the output open; a terminal is refused before anything is read. */
static int open_output(const char *file, int *fd, struct err *e)
{
	if (file) {
		*fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		return *fd < 0 ? err_sys(e, "create %s", file) : 0;
	}
	if (isatty(STDOUT_FILENO) == 1)
		return err_set(e, ERR_USAGE,
			       "standard output is a terminal: use -o FILE, or a pipe");
	*fd = dup(STDOUT_FILENO);
	return *fd < 0 ? err_sys(e, "standard output") : 0;
}

static int run(struct cli *c, const struct find_spec *spec, int fd, struct err *e)
{
	struct report report = cli_report(c, "export");
	struct export_options o = { .path = cli_value(c, "--path"),
				    .scratch = c->config.state_dir,
				    .fd = fd,
				    .report = &report };
	auto_opened struct opened x = OPENED_EMPTY;
	auto_host struct host h = HOST_EMPTY;

	if (host_open(&c->config, &c->keys, &h, e) < 0 || opened_open(c, &h, spec, &x, e) < 0)
		return -1;
	if (o.path && file_make_dirs(c->config.state_dir, 0700, e) < 0)
		return -1;
	return job_export(x.reader, &o, e);
}

int cmd_export(struct cli *c)
{
	const char *file = cli_value(c, "-o");
	struct err e = ERR_EMPTY;
	struct find_spec spec;
	auto_close int fd = -1;

	if (c->n_args != 1) {
		(void)err_set(&e, ERR_USAGE, "export takes one NAME@WHICH");
		return cli_fail(&e);
	}
	if (cli_config(c, &e) < 0 || find_parse(c->args[0], &spec, &e) < 0 ||
	    open_output(file, &fd, &e) < 0)
		return cli_fail(&e);
	if (run(c, &spec, fd, &e) < 0 || (file && fsync(fd) < 0 && errno != EINVAL)) {
		if (file)
			(void)unlink(file);
		return cli_fail(&e);
	}
	return 0;
}
