/* volsnap: finds the command in the table and runs it. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "archive/crypto.h"
#include "base/interrupt.h"
#include "cli.h"

static struct cli cli;

int main(int argc, char **argv)
{
	struct err e = ERR_EMPTY;
	int code;

	/* No setlocale: header bytes must not depend on the locale. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (cli_parse(&cli, argc, argv, &e) < 0)
		return cli_fail(&e);
	if (crypto_init(&e) < 0)
		return cli_fail(&e);
	interrupt_catch();
	code = cli.command->run(&cli);
	cli_report_end();
	config_free(&cli.config);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)err_sys(&e, "write to standard output");
		return cli_fail(&e);
	}
	return code;
}
