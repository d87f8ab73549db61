/* Words on stderr: errors, notes, progress, questions. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/scope.h"
#include "cli.h"

/* What the progress line knows; there is one terminal. */
static struct {
	const struct cli *cli;
	const char *label;
	struct timespec begun, shown;
	bool line; /* something stands on the live line */
} live;

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) +
	       (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static void clear_line(void)
{
	if (live.line)
		(void)fputs("\r\033[K", stderr);
	live.line = false;
}

int cli_fail(const struct err *e)
{
	clear_line();
	(void)fprintf(stderr, "volsnap: %s\n", e->text);
	return (int)e->kind;
}

void cli_say(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet)
		return;
	clear_line();
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

static const char *note_word(enum note_kind kind)
{
	switch (kind) {
	case NOTE_INFO: return "";
	case NOTE_WARNING: return "warning: ";
	case NOTE_UNREADABLE: return "left out: ";
	case NOTE_CHANGED: return "changed: ";
	case NOTE_VANISHED: return "vanished: ";
	case NOTE_SKIPPED: return "skipped: ";
	case NOTE_RESTORE: return "not in full: ";
	case NOTE_DAMAGED: return "damaged: ";
	}
	return "";
}

static void print_note(void *ctx, enum note_kind kind, const char *path, const char *text)
{
	const struct cli *c = ctx;
	bool detail = kind == NOTE_INFO || kind == NOTE_VANISHED || kind == NOTE_SKIPPED;

	/* What makes a run incomplete is named even with -q: it is the error. */
	if (detail && (c->quiet || (kind != NOTE_INFO && !c->verbose)))
		return;
	clear_line();
	(void)fprintf(stderr, "volsnap: %s%s%s", note_word(kind),
		      live.label && path ? live.label : "", live.label && path ? ": " : "");
	if (path)
		(void)fprintf(stderr, "%s: ", cli_printable(path));
	(void)fprintf(stderr, "%s\n", text);
}

static void print_rate(const struct progress *p, double elapsed, bool on_terminal)
{
	double rate = elapsed > 0 ? (double)p->bytes / elapsed : 0;

	(void)fprintf(stderr, "%s%s: %s, %s entries, %s/s", on_terminal ? "\r\033[K" : "",
		      live.label ? live.label : "", cli_size(p->bytes), cli_count(p->entries),
		      cli_size((unsigned long long)rate));
	if (p->total_bytes > p->bytes && rate > 0)
		(void)fprintf(stderr, ", %s left",
			      cli_duration((unsigned long long)((double)(p->total_bytes -
									 p->bytes) /
								rate * 1000)));
	if (!on_terminal)
		(void)fputc('\n', stderr);
	live.line = on_terminal;
}

/* Live on a terminal after the first second, a line every ten seconds elsewhere. */
static void print_progress(void *ctx, const struct progress *p)
{
	const struct cli *c = ctx;
	bool on_terminal;
	double elapsed;

	if (c->quiet || seconds_since(&live.shown) < 0.2)
		return;
	on_terminal = isatty(STDERR_FILENO) == 1;
	elapsed = seconds_since(&live.begun);
	if (on_terminal ? elapsed < 1 : seconds_since(&live.shown) < 10)
		return;
	print_rate(p, elapsed, on_terminal);
	(void)clock_gettime(CLOCK_MONOTONIC, &live.shown);
}

struct report cli_notes(const struct cli *c)
{
	/* Notes and progress take the cli back as const; the interface has one void pointer. */
	union {
		const struct cli *in;
		void *out;
	} ctx = { .in = c };

	return (struct report){ .ctx = ctx.out, .note = print_note };
}

struct report cli_report(const struct cli *c, const char *label)
{
	struct report r = cli_notes(c);

	live.cli = c;
	live.label = label;
	(void)clock_gettime(CLOCK_MONOTONIC, &live.begun);
	live.shown = live.begun;
	r.progress = print_progress;
	return r;
}

void cli_report_end(void)
{
	clear_line();
}

int cli_worse(int a, int b)
{
	static const int order[] = { 5, 8, 7, 9, 6, 4, 1, 3 };

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a ? a : b;
}

/* Length of the UTF-8 sequence at P that may be printed as it is, or 0. */
static size_t printable_at(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 :
		   p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

	if (n == 1)
		return p[0] >= 0x20 && p[0] != 0x7f && p[0] != '\\';
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls */
	return n == 2 && p[0] == 0xc2 && p[1] < 0xa0 ? 0 : n;
}

const char *cli_printable(const char *text)
{
	static char out[4 * 4100];
	const unsigned char *p = (const unsigned char *)text;
	size_t at = 0;

	while (*p && at + 8 < sizeof(out)) {
		size_t n = printable_at(p);

		if (n > 0) {
			memcpy(out + at, p, n);
			at += n;
			p += n;
		} else {
			at += (size_t)snprintf(out + at, 5, "\\%03o", *p++);
		}
	}
	out[at] = '\0';
	return out;
}

static int read_lines(int fd, unsigned lines, struct bytes *out, struct err *e)
{
	char c;

	while (lines > 0 && out->len < 4096) {
		ssize_t got = read(fd, &c, 1);

		if (got < 0 && errno == EINTR)
			return err_set(e, ERR_FAILED, "interrupted");
		if (got < 0)
			return err_sys(e, "read from the terminal");
		if (got == 0)
			return 0;
		if (bytes_append(out, &c, 1, e) < 0)
			return -1;
		lines -= c == '\n';
	}
	return 0;
}

int cli_ask(const char *prompt, bool secret, unsigned lines, struct bytes *out, struct err *e)
{
	auto_close int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, quiet;
	int result;

	if (fd < 0 || tcgetattr(fd, &before) < 0)
		return 1;
	if (file_write(fd, prompt, strlen(prompt)) < 0)
		return err_sys(e, "write to the terminal");
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (secret)
		(void)tcsetattr(fd, TCSAFLUSH, &quiet);
	result = read_lines(fd, lines, out, e);
	if (secret) {
		(void)tcsetattr(fd, TCSAFLUSH, &before);
		(void)file_write(fd, "\n", 1);
	}
	return result;
}
