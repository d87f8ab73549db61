/* Options and arguments against the table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/scope.h"
#include "cli.h"

#define VERSION "0.1"

static int usage(struct err *e, const struct cli *c, const char *what, const char *word)
{
	if (c->command)
		return err_set(e, ERR_USAGE, "%s %s (volsnap help %s)", what, word,
			       c->command->name);
	return err_set(e, ERR_USAGE, "%s %s (volsnap help)", what, word);
}

static const struct cli_option *find_option(const struct cli_option *table, const char *word,
					    size_t len)
{
	for (; table->name; table++)
		if (strlen(table->name) == len && memcmp(table->name, word, len) == 0)
			return table;
	return NULL;
}

static const struct cli_command *find_command(const char *name)
{
	for (const struct cli_command *k = cli_commands; k->name; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

static void global_option(struct cli *c, const struct cli_option *o, const char *value)
{
	if (strcmp(o->name, "-c") == 0)
		c->config_file = value;
	else if (strcmp(o->name, "--json") == 0)
		c->json = true;
	else if (strcmp(o->name, "-q") == 0)
		c->quiet = true;
	else
		c->verbose = true;
}

/* WORD begins with "-".  Returns how many further words it took. */
static int take_option(struct cli *c, const char *word, const char *next, struct err *e)
{
	const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct cli_option *o = find_option(cli_global, word, len);
	bool global = o != NULL;
	const char *value = equals ? equals + 1 : NULL;
	int took = 0;

	if (!o && c->command)
		o = find_option(c->command->options, word, len);
	if (!o)
		return usage(e, c, "unknown option", word);
	if (!o->arg && equals)
		return usage(e, c, "no value goes with", o->name);
	if (o->arg && !value) {
		if (!next)
			return usage(e, c, "a value is missing behind", o->name);
		value = next;
		took = 1;
	}
	if (global) {
		global_option(c, o, value);
		return took;
	}
	if (c->n_options == CLI_ARGS_MAX)
		return usage(e, c, "too many options:", word);
	c->options[c->n_options].option = o;
	c->options[c->n_options++].value = value;
	return took;
}

static int take_word(struct cli *c, const char *word, struct err *e)
{
	if (!c->command) {
		c->command = find_command(word);
		return c->command ? 0 : usage(e, c, "unknown command", word);
	}
	if (c->n_args == CLI_ARGS_MAX)
		return usage(e, c, "too many arguments:", word);
	c->args[c->n_args++] = word;
	return 0;
}

static void early_exit(const struct cli *c, const char *word)
{
	if (strcmp(word, "--version") == 0) {
		(void)printf("volsnap %s\n", VERSION);
		exit(0);
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		cli_help(c->command);
		exit(0);
	}
}

int cli_parse(struct cli *c, int argc, char **argv, struct err *e)
{
	bool only_words = false;

	c->config_file = getenv("VOLSNAP_CONFIG");
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		int took;

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
			continue;
		}
		if (only_words || word[0] != '-' || word[1] == '\0') {
			if (take_word(c, word, e) < 0)
				return -1;
			continue;
		}
		early_exit(c, word);
		took = take_option(c, word, i + 1 < argc ? argv[i + 1] : NULL, e);
		if (took < 0)
			return -1;
		i += took;
	}
	if (!c->command)
		return err_set(e, ERR_USAGE, "a command is missing (volsnap help)");
	return 0;
}

bool cli_flag(const struct cli *c, const char *name)
{
	for (size_t i = 0; i < c->n_options; i++)
		if (strcmp(c->options[i].option->name, name) == 0)
			return true;
	return false;
}

const char *cli_value(const struct cli *c, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < c->n_options; i++)
		if (strcmp(c->options[i].option->name, name) == 0)
			found = c->options[i].value;
	return found;
}

size_t cli_values(const struct cli *c, const char *name, const char **out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_options; i++)
		if (n < max && strcmp(c->options[i].option->name, name) == 0)
			out[n++] = c->options[i].value;
	return n;
}

static int ask_key(void *ctx, struct bytes *text, struct err *e)
{
	(void)ctx;
	return cli_ask("recovery key (six lines): ", true, 6, text, e);
}

int cli_config(struct cli *c, struct err *e)
{
	c->keys.key_file = cli_value(c, "--key");
	c->keys.ask = ask_key;
	c->notes = cli_notes(c);
	c->keys.report = &c->notes;
	return config_load(c->config_file, &c->config, e);
}

int cli_wait(struct cli *c, struct err *e)
{
	static const struct {
		const char *unit;
		unsigned long long ms;
	} units[] = { { "", 1000 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	const char *text = cli_value(c, "--wait");
	char *end = NULL;
	unsigned long long v;

	c->wait_ms = 60000;
	if (!text)
		return 0;
	v = strtoull(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (*text >= '0' && *text <= '9' && v <= 1000000 &&
		    strcmp(end, units[i].unit) == 0) {
			c->wait_ms = v * units[i].ms;
			return 0;
		}
	}
	return usage(e, c, "--wait takes a duration such as 30s or 5m, not", text);
}
