#include <string.h>

#include "archive/crypto.h"
#include "archive/key.h"
#include "base/bytes.h"
#include "cli.h"
#include "job/init.h"

int cli_recovery(struct cli *c, struct secret **out, struct err *e)
{
	const char *file = cli_value(c, "--key");
	struct bytes text = BYTES_EMPTY;
	struct secret *reader = NULL;
	int asked;

	if (file) {
		if (host_read_key(file, out, &reader, e) < 0)
			return -1;
		secret_free(reader);
		return *out ? 0 :
			      err_set(e, ERR_KEY, "%s: holds a reader key; the recovery key is "
						  "needed", file);
	}
	asked = c->keys.ask(c->keys.ask_ctx, &text, e);
	if (asked == 1)
		asked = err_set(e, ERR_KEY,
				"the recovery key is needed: --key FILE, or --key - for standard "
				"input");
	if (asked == 0)
		asked = key_from_paper((const char *)text.p, text.len, out, e);
	if (text.p)
		crypto_wipe(text.p, text.cap);
	bytes_free(&text);
	return asked;
}

static int import(struct cli *c, const struct secret *recovery, struct err *e)
{
	if (init_import(&c->config, recovery, e) < 0)
		return -1;
	cli_say(c, "imported: this host now reads every snapshot of every host in %s",
		c->config.store_location);
	cli_say(c, "next: volsnap list");
	return 0;
}

static int seal(struct cli *c, const struct secret *recovery, struct err *e)
{
	uint32_t epoch = 0;
	int result = init_seal(&c->config, recovery, cli_flag(c, "--prune"), &epoch, e);

	if (result < 0)
		return -1;
	if (result == 1)
		cli_say(c, "sealed already");
	else
		cli_say(c, "sealed: from the next snapshot on this host writes and cannot read "
			   "(descriptor epoch %u); what it wrote before may have been read",
			epoch);
	return 0;
}

int cmd_key(struct cli *c)
{
	bool importing = c->n_args == 1 && strcmp(c->args[0], "import") == 0;
	struct secret *recovery = NULL;
	struct err e = ERR_EMPTY;
	int result;

	if (!importing && (c->n_args != 1 || strcmp(c->args[0], "seal") != 0)) {
		(void)err_set(&e, ERR_USAGE, "key takes import or seal");
		return cli_fail(&e);
	}
	if (importing && cli_flag(c, "--prune")) {
		(void)err_set(&e, ERR_USAGE, "--prune goes with seal");
		return cli_fail(&e);
	}
	if (cli_config(c, &e) < 0 || cli_recovery(c, &recovery, &e) < 0)
		return cli_fail(&e);
	result = importing ? import(c, recovery, &e) : seal(c, recovery, &e);
	secret_free(recovery);
	return result < 0 ? cli_fail(&e) : 0;
}
