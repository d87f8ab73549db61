/* The command line: a table of commands, each in a file of its own (volsnap(1)). */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/report.h"
#include "job/host.h"

#define CLI_OPTIONS_MAX 16
#define CLI_ARGS_MAX 1024

/* One option of a command, as help and manual say it. */
struct cli_option {
	const char *name; /* "--to" */
	const char *arg;  /* what it takes ("DIR"), or NULL */
	const char *help;
};

struct cli;

struct cli_command {
	const char *name;
	const char *args; /* after the options, as usage shows it */
	const char *help; /* one line */
	const struct cli_option *options; /* ended by a NULL name */
	/* Returns the exit code. */
	int (*run)(struct cli *c);
};

/* The table, ended by a NULL name, and the options that go before a command. */
extern const struct cli_command cli_commands[];
extern const struct cli_option cli_global[];

struct cli {
	const struct cli_command *command;
	const char *config_file; /* -c, VOLSNAP_CONFIG, or NULL */
	bool json, quiet, verbose;
	size_t n_args;
	const char *args[CLI_ARGS_MAX];
	size_t n_options; /* given ones, in order */
	struct {
		const struct cli_option *option;
		const char *value;
	} options[CLI_ARGS_MAX];
	struct config config;
	struct host_options keys; /* filled from --key by cli_config */
	struct report notes; /* of what the store says while it is opened */
	unsigned long long wait_ms; /* filled from --wait by cli_wait */
};

/* ---- arguments (args.c) ---- */
/* Parse; ERR_USAGE. */
int cli_parse(struct cli *c, int argc, char **argv, struct err *e);
bool cli_flag(const struct cli *c, const char *name);
/* The last value of an option, or NULL. */
const char *cli_value(const struct cli *c, const char *name);
/* All values; returns how many were written to OUT (at most MAX). */
size_t cli_values(const struct cli *c, const char *name, const char **out, size_t max);
/* Load the configuration and settle the keys' options. */
int cli_config(struct cli *c, struct err *e);
/* Settle --wait; 60 seconds without it. */
int cli_wait(struct cli *c, struct err *e);

/* ---- words on stderr (say.c) ---- */
/* Print the error and return its exit code. */
int cli_fail(const struct err *e);
/* A line on stderr, unless -q. */
void cli_say(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A report that prints notes and progress as -q, -v and the terminal ask; LABEL is put before
 * (borrowed).  One at a time. */
struct report cli_report(const struct cli *c, const char *label);
/* Only notes, before there is a label and progress. */
struct report cli_notes(const struct cli *c);
/* End the progress line. */
void cli_report_end(void);
/* The worse of two exit codes: the first of 5, 8, 7, 9, 6, 4, 1, 3, 0. */
int cli_worse(int a, int b);
/* Bytes of a path, printable: control bytes and invalid UTF-8 as \ooo.  Static buffer. */
const char *cli_printable(const char *text);
/* Ask on the terminal for LINES lines, without echo when SECRET; 1 if there is no terminal. */
int cli_ask(const char *prompt, bool secret, unsigned lines, struct bytes *out, struct err *e);

/* ---- the shape of numbers (format.c); static buffers, four in turn ---- */
const char *cli_size(unsigned long long bytes);	   /* "1.4 GiB" */
const char *cli_time(long long ms);		   /* "2026-11-24 02:30" local */
const char *cli_time_s(long long s);		   /* the same, of seconds */
const char *cli_time_rfc3339(long long ms);	   /* "2026-11-24T02:30:00Z" */
const char *cli_duration(unsigned long long ms);   /* "3.2 s", "4 min 10 s" */
const char *cli_count(unsigned long long n);	   /* "12,345" */

/* The recovery key from --key, or asked for (cmd_key.c). */
int cli_recovery(struct cli *c, struct secret **out, struct err *e);

int cmd_init(struct cli *c);
int cmd_snapshot(struct cli *c);
int cmd_list(struct cli *c);
int cmd_show(struct cli *c);
int cmd_stats(struct cli *c);
int cmd_ls(struct cli *c);
int cmd_cat(struct cli *c);
int cmd_find(struct cli *c);
int cmd_diff(struct cli *c);
int cmd_restore(struct cli *c);
int cmd_export(struct cli *c);
int cmd_verify(struct cli *c);
int cmd_key(struct cli *c);
int cmd_config(struct cli *c);
int cmd_help(struct cli *c);

/* Help of one command, or of all (NULL), on stdout. */
void cli_help(const struct cli_command *command);

#endif
