/* What core tells whoever asked for the work while it goes on: notes about entries and progress.
 * core never prints; cli and agent decide how this looks. */
#ifndef BASE_REPORT_H
#define BASE_REPORT_H

#include <stdint.h>

enum note_kind {
	NOTE_INFO,       /* something the user should know; no entry is concerned */
	NOTE_WARNING,    /* something looks wrong; the work goes on */
	NOTE_UNREADABLE, /* entry left out: it could not be read */
	NOTE_CHANGED,    /* entry stored, but it changed while it was read */
	NOTE_VANISHED,   /* entry gone between its listing and its reading: counted */
	NOTE_SKIPPED,    /* entry left out on purpose (a socket): counted */
	NOTE_RESTORE,    /* entry could not be restored, or not in full */
	NOTE_DAMAGED,    /* a file of the store is damaged */
};

struct progress {
	uint64_t entries;
	uint64_t bytes;       /* of content, so far */
	uint64_t total_bytes; /* 0: unknown */
};

struct report {
	void *ctx;
	/* PATH may be NULL, else it is bytes as in the volume (not necessarily UTF-8); TEXT is a
	 * sentence without the path. */
	void (*note)(void *ctx, enum note_kind kind, const char *path, const char *text);
	/* Cheap to call often. */
	void (*progress)(void *ctx, const struct progress *p);
};

/* Call through; r or a member may be NULL. */
void report_note(const struct report *r, enum note_kind kind, const char *path, const char *fmt,
		 ...) __attribute__((format(printf, 4, 5)));
void report_progress(const struct report *r, const struct progress *p);

#endif
