/* The child's loop: messages in, notes out.  It trusts neither the headers nor the job's
 * word on them: paths are checked here again, by the same strict parser. */
#include "source/extract_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/report.h"
#include "base/scope.h"
#include "source/dirs.h"
#include "source/entry_link.h"
#include "source/entry_make.h"
#include "source/entry_meta.h"
#include "source/extract.h"
#include "source/pax.h"

enum { SOCK = 3 };

struct child {
	struct report report;
	int root;
	bool devices;
	struct dirs *dirs;
	struct entry_file file;
	struct extract_totals totals;
	struct pax pax;
	char last[ENTRY_PATH_MAX +
		  1]; /* path of the last note: a problem is counted once */
	uint8_t *buf;
};

static void reply(enum extract_type type, const void *p, size_t n)
{
	struct extract_head head = { .type = type, .len = (uint32_t)n };
	uint8_t out[EXTRACT_REPLY_MAX];

	memcpy(out, &head, sizeof(head));
	memcpy(out + sizeof(head), p, n);
	/* A job that is gone shows at the next read. */
	(void)file_write(SOCK, out, sizeof(head) + n);
}

static void send_note(void *ctx, enum note_kind kind, const char *path, const char *text)
{
	char out[ENTRY_PATH_MAX + 1025];
	size_t len = strlen(path), text_len = strlen(text);
	struct child *c = ctx;

	(void)kind;
	if (strcmp(c->last, path) != 0) {
		memcpy(c->last, path, len + 1);
		c->totals.problems++;
	}
	memcpy(out, path, len + 1);
	memcpy(out + len + 1, text, text_len + 1);
	reply(EXTRACT_NOTE, out, len + text_len + 2);
}

static int send_error(const struct err *e)
{
	char out[8 + sizeof(e->text)];
	uint32_t kind = e->kind, sys = (uint32_t)e->sys;

	memcpy(out, &kind, 4);
	memcpy(out + 4, &sys, 4);
	memcpy(out + 8, e->text, sizeof(e->text));
	reply(EXTRACT_ERROR, out, 8 + strlen(e->text) + 1);
	return 1;
}

/* Nothing stays open but the socket. */
static int confine(int sock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < SOCK && null >= 0; fd++)
		(void)dup2(null, fd);
	if (sock != SOCK && dup2(sock, SOCK) < 0)
		return -1;
	if (close_range(SOCK + 1, ~0U, 0) < 0)
		return -1;
	(void)umask(0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	/* The job decides when it is over, and the end of its socket says so. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int bad_message(struct err *e)
{
	return err_set(e, ERR_FAILED, "extracting child: bad message");
}

/* Where it may, the child makes the target its root directory. */
static int enter_target(struct child *c, int fd, struct err *e)
{
	if (fd < 0 || c->root >= 0)
		return bad_message(e);
	c->root = fd;
	if (fchdir(fd) < 0)
		return err_sys(e, "enter the target directory");
	if (chroot(".") < 0 && errno != EPERM)
		return err_sys(e, "confine the extracting child");
	return dirs_new(fd, &c->report, &c->dirs, e);
}

static void count(struct extract_totals *t, enum pax_type type)
{
	t->entries++;
	t->files += type == PAX_FILE;
	t->dirs += type == PAX_DIR;
}

static int make(struct child *c, struct entry_meta *meta, struct err *e)
{
	const struct pax *pax = &c->pax;
	const char *name;
	int dir;

	if (pax->type == PAX_DIR)
		return dirs_make(c->dirs, pax->path, meta, e);
	dir = dirs_enter(c->dirs, pax->path, &name, e);
	if (dir == -1)
		return -1;
	if (dir < 0) {
		report_note(&c->report, NOTE_RESTORE, pax->path, "no directory for it");
		entry_make_skip(pax, &c->file);
		return 1;
	}
	if (pax->type == PAX_LINK)
		return entry_link(c->root, pax->target, dir, name, pax->path, &c->report,
				  e);
	if ((pax->type == PAX_CHAR || pax->type == PAX_BLOCK) && !c->devices) {
		report_note(&c->report, NOTE_RESTORE, pax->path,
			    "device left out: use --devices");
		return 1;
	}
	return entry_make(dir, name, pax->path, pax, meta, &c->file, &c->report, e);
}

static int take_entry(struct child *c, uint32_t n, struct err *e)
{
	struct entry_meta meta = { .attrs = NULL };
	int status;

	if (!c->dirs)
		return bad_message(e);
	if (entry_make_close(&c->file, &c->report, e) < 0 ||
	    pax_parse(c->buf, n, &c->pax, e) < 0 ||
	    entry_meta_read(c->buf, n, &c->pax, &meta, e) < 0)
		return -1;
	count(&c->totals, c->pax.type);
	status = make(c, &meta, e);
	entry_meta_free(&meta);
	return status < 0 ? -1 : 0;
}

static int take_data(struct child *c, uint32_t n, struct err *e)
{
	uint64_t offset;

	if (n < sizeof(offset))
		return bad_message(e);
	memcpy(&offset, c->buf, sizeof(offset));
	c->totals.bytes += n - sizeof(offset);
	return entry_make_data(&c->file, offset, c->buf + sizeof(offset),
			       n - sizeof(offset), e);
}

static int drop(struct child *c, struct err *e)
{
	struct extract_totals *t = &c->totals;
	const char *name = NULL;
	int dir = -1;

	if (!c->dirs)
		return bad_message(e);
	if (c->file.open && c->file.fd >= 0) {
		dir = dirs_enter(c->dirs, c->file.path, &name, e);
		if (dir < 0)
			return dir == -1 ? -1 : bad_message(e);
	}
	if (entry_make_drop(&c->file, dir, name, e) < 0)
		return -1;
	t->entries--;
	t->files--;
	t->bytes -= c->file.got;
	t->problems++;
	return 0;
}

static int finish(struct child *c, struct err *e)
{
	if (!c->dirs)
		return bad_message(e);
	if (entry_make_close(&c->file, &c->report, e) < 0)
		return -1;
	dirs_leave(c->dirs);
	if (syncfs(c->root) < 0)
		return err_sys(e, "sync the restored tree");
	reply(EXTRACT_TOTALS, &c->totals, sizeof(c->totals));
	return 1;
}

/* The head of the next message, and the descriptor that may come with it. */
static bool read_head(struct extract_head *head, int *fd)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { head, sizeof(*head) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	const struct cmsghdr *c;
	ssize_t got;

	do
		got = recvmsg(SOCK, &m, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(*head))
		return false;
	c = CMSG_FIRSTHDR(&m);
	*fd = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return head->len <= EXTRACT_MESSAGE_MAX;
}

/* 0: go on.  1: finished.  -1: failed. */
static int take_message(struct child *c, const struct extract_head *head, int fd,
			struct err *e)
{
	if (head->type == EXTRACT_TARGET && head->len == 1) {
		c->devices = c->buf[0];
		return enter_target(c, fd, e);
	}
	if (head->type == EXTRACT_ENTRY)
		return take_entry(c, head->len, e);
	if (head->type == EXTRACT_DATA)
		return take_data(c, head->len, e);
	if (head->type == EXTRACT_DROP && head->len == 0)
		return drop(c, e);
	if (head->type == EXTRACT_END)
		return finish(c, e);
	return bad_message(e);
}

static int serve(struct child *c)
{
	struct extract_head head;
	struct err e = ERR_EMPTY;
	int fd, status = 0;

	while (status == 0) {
		/* The end of the stream is a job that gave up. */
		if (!read_head(&head, &fd) ||
		    file_read(SOCK, c->buf, head.len) != (ssize_t)head.len)
			return 1;
		status = take_message(c, &head, fd, &e);
	}
	return status < 0 ? send_error(&e) : 0;
}

int extract_child(int sock)
{
	struct child *c = calloc(1, sizeof(*c));
	int status = 1;

	if (c) {
		c->report = (struct report){ .ctx = c, .note = send_note };
		c->root = -1;
		c->file.fd = -1;
		c->buf = malloc(EXTRACT_MESSAGE_MAX);
		if (c->buf && confine(sock) == 0)
			status = serve(c);
		dirs_free(c->dirs);
		entry_meta_free(&c->file.meta);
		free(c->buf);
		free(c);
	}
	return status;
}
