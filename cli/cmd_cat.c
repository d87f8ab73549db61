#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "cli.h"
#include "job/export.h"
#include "opened.h"

int cmd_cat(struct cli *c)
{
	struct export_options o = { .file = true, .fd = STDOUT_FILENO };
	auto_opened struct opened x = OPENED_EMPTY;
	auto_host struct host h = HOST_EMPTY;
	struct err e = ERR_EMPTY;

	if (c->n_args != 2) {
		(void)err_set(&e, ERR_USAGE,
			      "cat takes NAME@WHICH and the path of a file in it");
		return cli_fail(&e);
	}
	if (opened_named(c, c->args[0], &h, &x, &e) < 0 ||
	    file_make_dirs(c->config.state_dir, 0700, &e) < 0)
		return cli_fail(&e);
	o.path = c->args[1];
	o.scratch = c->config.state_dir;
	/* Only reads: whoever takes its output may stop, as with cat. */
	(void)signal(SIGPIPE, SIG_DFL);
	return job_export(x.reader, &o, &e) < 0 ? cli_fail(&e) : 0;
}
