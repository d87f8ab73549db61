/* The table that parsing, help, manual and completion share. */
#include "cli.h"

#define END { NULL, NULL, NULL }

const struct cli_option cli_global[] = {
	{ "-c", "FILE", "configuration instead of /etc/volsnap/volsnap.conf (VOLSNAP_CONFIG)" },
	{ "--json", NULL, "one JSON document on standard output" },
	{ "-q", NULL, "no messages but errors" },
	{ "-v", NULL, "say more" },
	END,
};

static const struct cli_option init_options[] = {
	{ "--paper", "FILE", "write the recovery key to FILE (mode 0600) instead of showing it" },
	{ "--yes", NULL, "do not have part of the recovery key typed back" },
	{ "--join", NULL, "use a store that exists; asks for its recovery key" },
	{ "--key", "FILE|-", "with --join: read the recovery key from FILE or standard input" },
	END,
};

static const struct cli_option snapshot_options[] = {
	{ "--all", NULL, "every configured volume; a failed one does not stop the others" },
	{ "--full", NULL, "store everything anew" },
	{ "--allow-empty", NULL, "commit although the volume is suddenly empty" },
	{ "--wait", "DUR", "how long to wait for a run that is busy with it (60s)" },
	END,
};

static const struct cli_option show_options[] = {
	{ "--files", NULL, "list the entries" },
	{ "--key", "FILE|-", "reader key file or recovery key (with --files)" },
	END,
};

static const struct cli_option list_options[] = {
	{ "--key", "FILE|-", "reader key file or recovery key" },
	END,
};

static const struct cli_option restore_options[] = {
	{ "--to", "DIR", "into DIR, which is made or must be empty" },
	{ "--as", "VOLUME", "into the volume of another name" },
	{ "--path", "SUB", "only SUB and what lies below it; repeatable" },
	{ "--if-empty", NULL, "do nothing, successfully, if the target has content" },
	{ "--replace", NULL, "put it in place of what is there, which is kept" },
	{ "--discard-previous", NULL, "delete what --replace kept" },
	{ "--devices", NULL, "make device nodes too" },
	{ "--salvage", NULL, "of a damaged snapshot, restore all that can be read" },
	{ "--dry-run", NULL, "say what would be done" },
	{ "--key", "FILE|-", "reader key file or recovery key" },
	END,
};

static const struct cli_option export_options[] = {
	{ "--path", "SUB", "only SUB; a regular file is written as it is, not as a tar" },
	{ "-o", "FILE", "write to FILE instead of standard output" },
	{ "--key", "FILE|-", "reader key file or recovery key" },
	END,
};

static const struct cli_option verify_options[] = {
	{ "--quick", NULL, "structure, signatures and sizes only" },
	{ "--key", "FILE|-", "reader key file or recovery key: checks every entry" },
	END,
};

static const struct cli_option ls_options[] = {
	{ "--recursive", NULL, "all that lies below, too" },
	{ "--key", "FILE|-", "reader key file or recovery key" },
	END,
};

static const struct cli_option cat_options[] = {
	{ "--key", "FILE|-", "reader key file or recovery key" },
	END,
};

static const struct cli_option find_options[] = {
	{ "--all", NULL, "in every volume of the store" },
	{ "--key", "FILE|-", "reader key file or recovery key" },
	END,
};

static const struct cli_option diff_options[] = {
	{ "--content", NULL, "compare content, not only size and time of change" },
	{ "--key", "FILE|-", "reader key file or recovery key" },
	END,
};

static const struct cli_option stats_options[] = {
	{ "--quick", NULL, "do not read archives: no DEDUP, no ZIP" },
	{ "--key", "FILE|-", "reader key file or recovery key" },
	END,
};

static const struct cli_option key_options[] = {
	{ "--key", "FILE|-", "read the recovery key from FILE or standard input" },
	{ "--prune", NULL, "seal: remove the prune key from this host as well" },
	END,
};

static const struct cli_option no_options[] = { END };

const struct cli_command cli_commands[] = {
	{ "init", "", "make keys and store as configured", init_options, cmd_init },
	{ "snapshot", "NAME...", "take snapshots", snapshot_options, cmd_snapshot },
	{ "list", "[[HOST/]NAME]", "list snapshots", list_options, cmd_list },
	{ "show", "NAME@WHICH", "show one snapshot: identity, totals, entries", show_options,
	  cmd_show },
	{ "stats", "[NAME[@WHICH]]", "what snapshots cost, and what they rest on", stats_options,
	  cmd_stats },
	{ "ls", "NAME@WHICH [PATH]", "list a directory of a snapshot", ls_options, cmd_ls },
	{ "cat", "NAME@WHICH PATH", "write one file of a snapshot to standard output",
	  cat_options, cmd_cat },
	{ "find", "NAME PATTERN", "find the snapshots that have a path, and its versions",
	  find_options, cmd_find },
	{ "diff", "NAME@WHICH [NAME]@WHICH", "what differs between two snapshots", diff_options,
	  cmd_diff },
	{ "restore", "NAME@WHICH", "restore a snapshot into its volume, or elsewhere",
	  restore_options, cmd_restore },
	{ "export", "NAME@WHICH", "write a snapshot as a pax tar", export_options, cmd_export },
	{ "verify", "[NAME[@WHICH]]", "check every byte and, with a reading key, every entry",
	  verify_options, cmd_verify },
	{ "key", "import|seal", "take a recovery key in, or the reading key off this host",
	  key_options, cmd_key },
	{ "config", "check|show", "check the configuration, or show it as it is in force",
	  no_options, cmd_config },
	{ "help", "[COMMAND]", "help on a command", no_options, cmd_help },
	{ NULL, NULL, NULL, NULL, NULL },
};
