#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "cli.h"
#include "json.h"

static int show(struct cli *c)
{
	auto_free char *text = config_show(&c->config);
	struct err e = ERR_EMPTY;

	if (!text) {
		(void)err_memory(&e);
		return cli_fail(&e);
	}
	(void)fputs(text, stdout);
	return 0;
}

int cmd_config(struct cli *c)
{
	bool check = c->n_args == 1 && strcmp(c->args[0], "check") == 0;
	struct err e = ERR_EMPTY;
	struct json *o;

	if (!check && (c->n_args != 1 || strcmp(c->args[0], "show") != 0)) {
		(void)err_set(&e, ERR_USAGE, "config takes check or show");
		return cli_fail(&e);
	}
	if (cli_config(c, &e) < 0)
		return cli_fail(&e);
	if (!check)
		return show(c);
	if (c->json) {
		o = json_new_object();
		json_truth(o, "ok", true);
		json_number(o, "volumes", c->config.n_volumes);
		json_print(o);
	} else {
		cli_say(c, "configuration is good: %zu volume%s", c->config.n_volumes,
			c->config.n_volumes == 1 ? "" : "s");
	}
	return 0;
}
