/* volsnap: finds the command in the table and runs it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "archive/crypto.h"
#include "base/interrupt.h"
#include "cli.h"

static struct cli cli;

/* Flush what was printed.  Who reads it through a pipe may have seen enough: then end of SIGPIPE,
 * as other tools do, unless that was ignored (BEFORE) when we were started.  A code that says
 * more than "done" stays. */
static int end_output(int code, void (*before)(int))
{
	struct err e = ERR_EMPTY;

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	(void)err_sys(&e, "write to standard output");
	if (e.sys != EPIPE || before == SIG_IGN)
		(void)cli_fail(&e);
	else if (code == 0) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	return code ? code : (int)e.kind;
}

int main(int argc, char **argv)
{
	struct err e = ERR_EMPTY;
	void (*before)(int);
	int code;

	/* No setlocale: header bytes must not depend on the locale. */
	before = signal(SIGPIPE, SIG_IGN);
	if (cli_parse(&cli, argc, argv, &e) < 0)
		return cli_fail(&e);
	if (crypto_init(&e) < 0)
		return cli_fail(&e);
	interrupt_catch();
	code = cli.command->run(&cli);
	cli_report_end();
	config_free(&cli.config);
	return end_output(code, before);
}
