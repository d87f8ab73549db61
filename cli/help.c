/* Help, from the table. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static void print_options(const struct cli_option *o)
{
	for (; o->name; o++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s", o->name, o->arg ? " " : "",
			       o->arg ? o->arg : "");
		(void)printf("  %-20s %s\n", left, o->help);
	}
}

static void print_all(void)
{
	(void)printf("usage: volsnap [-c FILE] [--json] [-q|-v] COMMAND ...\n\n");
	for (const struct cli_command *k = cli_commands; k->name; k++)
		(void)printf("  %-10s %s\n", k->name, k->help);
	(void)printf("\nbefore any command:\n");
	print_options(cli_global);
	(void)printf("\nWHICH: latest, latest~N, a sequence number, the beginning of an id, or a "
		     "date\n(2026-11-24, 2026-11-24T02:30, ...Z for UTC): the newest at or before "
		     "it.\n\n\"volsnap help COMMAND\" tells a command's options; volsnap(1) tells "
		     "all.\n");
}

void cli_help(const struct cli_command *k)
{
	if (!k) {
		print_all();
		return;
	}
	(void)printf("usage: volsnap %s%s%s%s\n\n%s\n", k->name,
		     k->options->name ? " [OPTION]..." : "", *k->args ? " " : "", k->args, k->help);
	if (k->options->name)
		(void)printf("\n");
	print_options(k->options);
}

int cmd_help(struct cli *c)
{
	struct err e = ERR_EMPTY;

	if (c->n_args == 0) {
		cli_help(NULL);
		return 0;
	}
	for (const struct cli_command *k = cli_commands; k->name; k++) {
		if (strcmp(k->name, c->args[0]) == 0) {
			cli_help(k);
			return 0;
		}
	}
	(void)err_set(&e, ERR_USAGE, "no command %s (volsnap help)", c->args[0]);
	return cli_fail(&e);
}
