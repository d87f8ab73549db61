#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/crypto.h"
#include "archive/key.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/scope.h"
#include "cli.h"
#include "job/init.h"

static void wipe(struct bytes *b)
{
	if (b->p)
		crypto_wipe(b->p, b->cap);
	bytes_free(b);
}

/* The paper file of an interrupted init, if there is one: *again is its key. */
static int read_paper(const char *file, struct secret **again, struct err *e)
{
	struct secret *reader = NULL;

	if (access(file, F_OK) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", file);
	if (host_read_key(file, again, &reader, e) < 0 || !*again) {
		secret_free(reader);
		return err_set(e, ERR_REFUSED, "%s: exists and is not replaced", file);
	}
	return 0;
}

static int write_paper(const char *file, const struct config *c, const struct secret *recovery,
		       struct err *e)
{
	static const char head[] = "# volsnap recovery key of the store at %s\n"
				   "# It reads every snapshot of every host. Keep it away from "
				   "them, in two places.\n";
	char text[KEY_PAPER_MAX];
	struct bytes b = BYTES_EMPTY;
	int result = -1, n;

	key_paper(recovery, text);
	n = snprintf(NULL, 0, head, c->store_location);
	if (bytes_reserve(&b, (size_t)n + sizeof(text), e) == 0) {
		b.len = (size_t)snprintf((char *)b.p, b.cap, head, c->store_location);
		b.len += (size_t)snprintf((char *)b.p + b.len, b.cap - b.len, "%s", text);
		result = file_save(AT_FDCWD, file, b.p, b.len, 0600, false, e);
	}
	if (result == 1)
		result = err_set(e, ERR_REFUSED, "%s: exists and is not replaced", file);
	wipe(&b);
	crypto_wipe(text, sizeof(text));
	return result;
}

/* Shown on the terminal only: never on a pipe, never in a log. */
static int show_paper(const struct secret *recovery, struct err *e)
{
	auto_close int tty = open("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	static const char head[] =
		"\nThis is the recovery key. It is shown once and never stored on this host.\n"
		"Write it down: with it every snapshot can be read anywhere; without it, and\n"
		"without this host, none.\n\n";
	char text[KEY_PAPER_MAX];
	int result;

	if (tty < 0)
		return err_set(e, ERR_USAGE,
			       "there is no terminal to show the recovery key on: use --paper "
			       "FILE");
	key_paper(recovery, text);
	result = file_write(tty, head, strlen(head)) < 0 ||
		 file_write(tty, text, strlen(text)) < 0 || file_write(tty, "\n", 1) < 0;
	crypto_wipe(text, sizeof(text));
	return result ? err_sys(e, "write to the terminal") : 0;
}

/* The line of TEXT with number LINE (from 0), without blanks. */
static void bare_line(const char *text, unsigned line, char *out, size_t size)
{
	size_t n = 0;

	while (line > 0 && *text)
		line -= *text++ == '\n';
	for (; *text && *text != '\n' && n + 1 < size; text++)
		if (*text != ' ' && *text != '\r')
			out[n++] = (char)(*text >= 'a' && *text <= 'z' ? *text - 32 : *text);
	out[n] = '\0';
}

static int type_back(const struct secret *recovery, struct err *e)
{
	char text[KEY_PAPER_MAX], want[32], got[32], prompt[80];
	struct bytes typed = BYTES_EMPTY;
	unsigned line;
	int asked = 0;
	bool same = false;

	crypto_random(&line, sizeof(line));
	line %= 6;
	key_paper(recovery, text);
	bare_line(text, line, want, sizeof(want));
	(void)snprintf(prompt, sizeof(prompt), "Type line %u of it back: ", line + 1);
	for (int i = 0; i < 3 && !same && asked == 0; i++) {
		typed.len = 0;
		asked = cli_ask(prompt, false, 1, &typed, e);
		if (asked == 0 && bytes_zero(&typed, 1, e) == 0) {
			bare_line((const char *)typed.p, 0, got, sizeof(got));
			same = strcmp(got, want) == 0;
		}
	}
	wipe(&typed);
	crypto_wipe(text, sizeof(text));
	crypto_wipe(want, sizeof(want));
	crypto_wipe(got, sizeof(got));
	if (asked < 0)
		return -1;
	if (asked == 1)
		return err_set(e, ERR_USAGE,
			       "there is no terminal to type the recovery key back on: --yes "
			       "goes without");
	return same ? 0 :
		      err_set(e, ERR_KEY,
			      "that is not what was shown: nothing was made; run init again");
}

static int init_fresh(struct cli *c, struct err *e)
{
	const char *paper = cli_value(c, "--paper");
	struct secret *again = NULL, *recovery = NULL;
	int result = -1;

	if (paper && read_paper(paper, &again, e) < 0)
		return -1;
	if (init_recovery(&c->config, again, &recovery, e) == 0 &&
	    (again || (paper ? write_paper(paper, &c->config, recovery, e) :
			       show_paper(recovery, e)) == 0) &&
	    (cli_flag(c, "--yes") || type_back(recovery, e) == 0))
		result = init_finish(&c->config, recovery, e);
	secret_free(again);
	secret_free(recovery);
	return result;
}

static int init_joined(struct cli *c, struct err *e)
{
	struct secret *recovery = NULL;
	int result = cli_recovery(c, &recovery, e);

	if (result == 0)
		result = init_join(&c->config, recovery, e);
	secret_free(recovery);
	return result;
}

static void say_done(const struct cli *c, const char *what)
{
	cli_say(c, "%s: store %s, keys in %s, host %s", what, c->config.store_location,
		c->config.keys_dir, c->config.host_name);
	cli_say(c, "This host can read its own snapshots until: volsnap key seal");
	cli_say(c, "next: volsnap snapshot --all");
}

int cmd_init(struct cli *c)
{
	enum init_state state = INIT_FRESH;
	struct err e = ERR_EMPTY;

	if (c->n_args > 0) {
		(void)err_set(&e, ERR_USAGE, "init takes no arguments");
		return cli_fail(&e);
	}
	if (cli_config(c, &e) < 0)
		return cli_fail(&e);
	if (cli_flag(c, "--join")) {
		if (init_joined(c, &e) < 0)
			return cli_fail(&e);
		say_done(c, "joined");
		return 0;
	}
	if (init_begin(&c->config, &state, &e) < 0)
		return cli_fail(&e);
	if (state != INIT_RESUMED && init_fresh(c, &e) < 0)
		return cli_fail(&e);
	say_done(c, state == INIT_RESUMED ? "an interrupted init is finished" : "made");
	return 0;
}
