#include "snapshots.h"

#include <stdio.h>
#include <string.h>

#include "archive/crypto.h"
#include "archive/root.h"
#include "base/bytes.h"
#include "cli.h"
#include "json.h"

const char *snapshot_word(const struct snapshot *s)
{
	switch (s->state) {
	case SNAPSHOT_OK: break;
	case SNAPSHOT_PARTIAL: return "partial";
	case SNAPSHOT_DAMAGED: return "damaged";
	case SNAPSHOT_ABANDONED: return "abandoned";
	}
	if (s->needs_key)
		return "needs an older key";
	if (s->has_summary && (s->summary.unreadable || s->summary.changed_entries))
		return "incomplete";
	return "complete";
}

const char *grade_word(unsigned grade)
{
	switch (grade) {
	case GRADE_STOPPED: return "stopped";
	case GRADE_FROZEN: return "frozen";
	case GRADE_FUZZY: return "fuzzy";
	default: return "?";
	}
}

long long snapshot_time(const struct snapshot *x)
{
	return x->has_summary ? x->summary.time_ms : x->created_ms;
}

struct json *snapshot_json(const struct catalog_stream *s, const struct snapshot *x)
{
	struct json *o = json_new_object();

	json_text(o, "host", s->stream.host);
	json_text(o, "volume", s->stream.name);
	json_hex(o, "stream", s->stream.id, sizeof(s->stream.id));
	json_number(o, "seq", x->archive.seq);
	json_hex(o, "id", x->archive.id, sizeof(x->archive.id));
	json_text(o, "time", cli_time_rfc3339(snapshot_time(x)));
	json_text(o, "state", snapshot_word(x));
	json_number(o, "stored", x->stored);
	json_number(o, "parts", x->n_parts);
	if (x->problem[0])
		json_text(o, "problem", x->problem);
	if (!x->has_summary)
		return o;
	json_number(o, "level", x->summary.level);
	json_text(o, "grade", grade_word(x->summary.grade));
	json_number(o, "entries", x->summary.entries);
	json_number(o, "bytes", x->summary.bytes);
	json_number(o, "new_bytes", x->summary.new_bytes);
	json_number(o, "unreadable", x->summary.unreadable);
	json_number(o, "changed", x->summary.changed_entries);
	return o;
}

const char *snapshots_name(const struct cli *c, const struct catalog *all,
			      const struct catalog_stream *s)
{
	static char out[4 * 4200];
	bool clash = false, own = strcmp(s->stream.host, c->config.host_name) == 0;
	char id[9];
	size_t n;

	for (size_t i = 0; i < all->n; i++)
		clash |= &all->streams[i] != s &&
			 strcmp(all->streams[i].stream.name, s->stream.name) == 0 &&
			 strcmp(all->streams[i].stream.host, s->stream.host) == 0;
	crypto_hex(s->stream.id, 4, id);
	n = (size_t)snprintf(out, sizeof(out), "%s%s%s", own ? "" : s->stream.host,
			     own ? "" : "/", cli_printable(s->stream.name));
	if (clash)
		(void)snprintf(out + n, sizeof(out) - n, ".%s", id);
	return out;
}

int snapshots_damaged(const struct cli *c, const struct catalog *all,
		      const struct catalog_stream *only, const struct bytes *problems)
{
	int code = 0;

	if (problems->len > 0) {
		(void)fwrite(problems->p, 1, problems->len, stderr);
		code = ERR_DAMAGED;
	}
	for (size_t i = 0; i < all->n; i++) {
		const struct catalog_stream *s = &all->streams[i];

		for (size_t k = 0; (!only || s == only) && k < s->n; k++) {
			if (s->snapshots[k].state != SNAPSHOT_DAMAGED)
				continue;
			cli_say(c, "volsnap: %s", s->snapshots[k].problem);
			code = ERR_DAMAGED;
		}
	}
	return code;
}
