#include "entries.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "json.h"

static const char type_letters[] = { '-', 'h', 'l', 'c', 'b', 'd', 'p' };

static void mode_text(const struct linked_entry *en, char out[11])
{
	static const char bits[] = "rwxrwxrwx";
	uint32_t mode = en->file->shown_mode;

	out[0] = type_letters[en->pax->type];
	for (int i = 0; i < 9; i++)
		out[1 + i] = mode & (1u << (8 - i)) ? bits[i] : '-';
	if (mode & 04000)
		out[3] = out[3] == 'x' ? 's' : 'S';
	if (mode & 02000)
		out[6] = out[6] == 'x' ? 's' : 'S';
	if (mode & 01000)
		out[9] = out[9] == 'x' ? 't' : 'T';
	out[10] = '\0';
}

/* Of a device its numbers stand in place of a size; what else has no size has none here.
 */
static const char *size_text(const struct pax *p)
{
	static char device[32];

	if (p->type == PAX_FILE)
		return cli_size(p->size);
	if (p->type != PAX_CHAR && p->type != PAX_BLOCK)
		return "-";
	(void)snprintf(device, sizeof(device), "%u, %u", p->dev_major, p->dev_minor);
	return device;
}

void entry_print(const struct linked_entry *en, const char *name)
{
	char mode[11];

	mode_text(en, mode);
	(void)printf("%s%c%6" PRIu64 " %6" PRIu64 " %10s  %s  %s", mode,
		     en->file->has_acl ? '+' : ' ', en->file->uid, en->file->gid,
		     size_text(en->file), cli_time_s(en->file->mtime),
		     cli_printable(name));
	if (en->pax->type == PAX_LINK || en->pax->type == PAX_SYMLINK)
		(void)printf(" -> %s", cli_printable(en->pax->target));
	(void)putchar('\n');
}

const char *entry_type(enum pax_type type)
{
	static const char *const types[] = { "file",	    "link",	    "symlink",
					     "char device", "block device", "directory",
					     "fifo" };

	return types[type];
}

struct json *entry_json(const struct linked_entry *en)
{
	const struct pax *p = en->pax, *file = en->file;
	struct json *o = json_new_object();

	json_text(o, "path", p->path);
	json_text(o, "type", entry_type(p->type));
	json_number(o, "mode", file->shown_mode);
	json_truth(o, "acl", file->has_acl);
	json_number(o, "uid", file->uid);
	json_number(o, "gid", file->gid);
	json_number(o, "size", file->size);
	json_signed(o, "mtime", file->mtime);
	json_number(o, "mtime_ns", file->mtime_ns);
	if (p->type == PAX_LINK || p->type == PAX_SYMLINK)
		json_text(o, "target", p->target);
	return o;
}

static void print_one(const struct cli *c, const struct entries *o,
		      const struct linked_entry *en)
{
	if (c->json)
		json_row(entry_json(en));
	else
		entry_print(en, o->name ? o->name(o->ctx, en->pax) : en->pax->path);
}

int entries_print(struct cli *c, struct reader *r, const struct entries *o, struct err *e)
{
	struct linked *l = NULL;
	struct linked_entry en;
	int more = linked_new(r, c->config.state_dir, o->wanted, o->ctx, &l, e);

	if (more == 0 && o->after_scan && o->after_scan(o->ctx, e) < 0)
		more = -1;
	if (more == 0 && c->json)
		json_rows(o->doc, "files");
	/* Nobody wants the rest where the output is closed; main says so. */
	while (more == 0 && !ferror(stdout) && (more = linked_next(l, &en, e)) == 0)
		print_one(c, o, &en);
	if (more == 1 && c->json)
		json_rows_end(NULL);
	linked_free(l);
	return more < 0 ? -1 : 0;
}
