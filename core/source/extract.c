/* The job's side of the extracting child.  The job may never block for good: it writes
 * only what the socket takes, and reads the child's notes while it waits.  After the
 * child said what went wrong, or died, every call fails with that. */
#include "source/extract.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/report.h"
#include "base/scope.h"
#include "source/extract_child.h"

struct extract {
	const struct report *report;
	int sock;
	pid_t pid; /* 0: reaped */
	bool failed, done, gone;
	struct err why;
	struct extract_totals totals;
	size_t have;
	uint8_t reply[EXTRACT_REPLY_MAX];
};

static int start_failed(struct extract *x, const int *pair, struct err *e)
{
	(void)err_sys(e, "start the extracting child");
	(void)close(pair[0]);
	(void)close(pair[1]);
	free(x);
	return -1;
}

/* Ends with its parent, even where that died before prctl. */
static void run_child(int sock, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	_exit(extract_child(sock));
}

int extract_start(const struct report *report, struct extract **out, struct err *e)
{
	struct extract *x = calloc(1, sizeof(*x));
	pid_t parent = getpid();
	int pair[2];

	if (!x)
		return err_memory(e);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		free(x);
		return err_sys(e, "start the extracting child");
	}
	x->pid = fork();
	if (x->pid < 0)
		return start_failed(x, pair, e);
	if (x->pid == 0)
		run_child(pair[1], parent);
	(void)close(pair[1]);
	x->sock = pair[0];
	x->report = report;
	*out = x;
	return 0;
}

static int fail(struct extract *x, struct err *e)
{
	x->failed = true;
	*e = x->why;
	return -1;
}

/* The child is gone without a word: say how it ended. */
static int child_died(struct extract *x, struct err *e)
{
	int status = 0;

	/* One that closed its end but lives would keep us waiting. */
	if (x->pid > 0)
		(void)kill(x->pid, SIGKILL);
	while (x->pid > 0 && waitpid(x->pid, &status, 0) < 0 && errno == EINTR)
		;
	x->pid = 0;
	if (WIFSIGNALED(status))
		(void)err_set(&x->why, ERR_FAILED,
			      "extracting child: killed by signal %d (%s)",
			      WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)err_set(&x->why, ERR_FAILED,
			      "extracting child: ended with status %d",
			      WEXITSTATUS(status));
	return fail(x, e);
}

static int bad_reply(struct extract *x, struct err *e)
{
	(void)err_set(&x->why, ERR_FAILED, "extracting child: reply is not understood");
	return fail(x, e);
}

/* The bytes come from a process that read hostile headers: trust no length. */
static int take_note(struct extract *x, const uint8_t *p, size_t n, struct err *e)
{
	const uint8_t *text = memchr(p, 0, n);

	if (!text || p[n - 1] != 0 || text + 1 == p + n)
		return bad_reply(x, e);
	report_note(x->report, NOTE_RESTORE, *p ? (const char *)p : NULL, "%s",
		    (const char *)text + 1);
	return 0;
}

static int take_error(struct extract *x, const uint8_t *p, size_t n, struct err *e)
{
	uint32_t kind, sys;

	if (n < 9 || p[n - 1] != 0)
		return bad_reply(x, e);
	memcpy(&kind, p, 4);
	memcpy(&sys, p + 4, 4);
	(void)err_set(&x->why, kind == ERR_DAMAGED ? ERR_DAMAGED : ERR_FAILED, "%s",
		      (const char *)p + 8);
	x->why.sys = (int)sys;
	return fail(x, e);
}

static int take_reply(struct extract *x, uint32_t type, const uint8_t *p, size_t n,
		      struct err *e)
{
	if (type == EXTRACT_NOTE && n > 0)
		return take_note(x, p, n, e);
	if (type == EXTRACT_ERROR)
		return take_error(x, p, n, e);
	if (type != EXTRACT_TOTALS || n != sizeof(x->totals))
		return bad_reply(x, e);
	memcpy(&x->totals, p, n);
	x->done = true;
	return 0;
}

/* All whole replies in the buffer. */
static int take_replies(struct extract *x, struct err *e)
{
	struct extract_head head;
	size_t at = 0;

	while (x->have - at >= sizeof(head)) {
		memcpy(&head, x->reply + at, sizeof(head));
		if (head.len > sizeof(x->reply) - sizeof(head))
			return bad_reply(x, e);
		if (x->have - at < sizeof(head) + head.len)
			break;
		if (take_reply(x, head.type, x->reply + at + sizeof(head), head.len, e) <
		    0)
			return -1;
		at += sizeof(head) + head.len;
	}
	memmove(x->reply, x->reply + at, x->have - at);
	x->have -= at;
	return 0;
}

/* Read what is there, without waiting. */
static int drain(struct extract *x, struct err *e)
{
	while (!x->done) {
		ssize_t got = recv(x->sock, x->reply + x->have,
				   sizeof(x->reply) - x->have, MSG_DONTWAIT);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN && !x->gone)
			return 0;
		if (got <= 0)
			return child_died(x, e);
		x->have += (size_t)got;
		if (take_replies(x, e) < 0)
			return -1;
	}
	return 0;
}

static int wait_for(struct extract *x, short events, struct err *e)
{
	struct pollfd pfd = { .fd = x->sock, .events = events };

	if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
		return err_sys(e, "wait for the extracting child");
	return drain(x, e);
}

static void skip_sent(struct msghdr *m, size_t n)
{
	while (m->msg_iovlen > 0 && n >= m->msg_iov->iov_len) {
		n -= m->msg_iov->iov_len;
		m->msg_iov++;
		m->msg_iovlen--;
	}
	if (m->msg_iovlen > 0) {
		m->msg_iov->iov_base = (uint8_t *)m->msg_iov->iov_base + n;
		m->msg_iov->iov_len -= n;
	}
}

static int send_all(struct extract *x, struct msghdr *m, struct err *e)
{
	while (m->msg_iovlen > 0) {
		ssize_t put = sendmsg(x->sock, m, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (put >= 0) {
			/* A descriptor travels with the first byte, once. */
			m->msg_control = NULL;
			m->msg_controllen = 0;
			skip_sent(m, (size_t)put);
		} else if (errno == EAGAIN) {
			if (wait_for(x, POLLIN | POLLOUT, e) < 0)
				return -1;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			x->gone = true;
			return drain(x, e) < 0 ? -1 : bad_reply(x, e);
		} else if (errno != EINTR) {
			return err_sys(e, "write to the extracting child");
		}
	}
	return drain(x, e);
}

/* The pieces of one message; iov[0] is left free for the head. */
static int send_message(struct extract *x, enum extract_type type, struct iovec *iov,
			size_t n, struct err *e)
{
	struct extract_head head = { .type = type };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };

	if (x->failed)
		return fail(x, e);
	for (size_t i = 1; i < n; i++)
		head.len += (uint32_t)iov[i].iov_len;
	iov[0] = (struct iovec){ &head, sizeof(head) };
	return send_all(x, &m, e);
}

/* What sendmsg only reads. */
static struct iovec piece(const void *p, size_t n)
{
	union {
		const void *in;
		void *out;
	} u = { .in = p };

	return (struct iovec){ u.out, n };
}

int extract_target(struct extract *x, int dirfd, const struct extract_options *o,
		   struct err *e)
{
	struct extract_head head = { .type = EXTRACT_TARGET, .len = 1 };
	uint8_t devices = o && o->devices;
	struct iovec iov[2] = { { &head, sizeof(head) }, { &devices, 1 } };
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	struct msghdr m = { .msg_iov = iov,
			    .msg_iovlen = 2,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	if (x->failed)
		return fail(x, e);
	control.head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS,
					 .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(&control.head), &dirfd, sizeof(int));
	return send_all(x, &m, e);
}

int extract_entry(struct extract *x, const uint8_t *header, size_t n, struct err *e)
{
	struct iovec iov[2] = { [1] = piece(header, n) };

	if (n > ENTRY_HEADER_MAX)
		return err_set(e, ERR_DAMAGED, "entry header too long");
	return send_message(x, EXTRACT_ENTRY, iov, 2, e);
}

int extract_data(struct extract *x, uint64_t offset, const uint8_t *p, size_t n,
		 struct err *e)
{
	while (n > 0) {
		size_t part = n < EXTRACT_PIECE ? n : EXTRACT_PIECE;
		struct iovec iov[3] = {
			[1] = { &offset, sizeof(offset) }, [2] = piece(p, part)
		};

		if (send_message(x, EXTRACT_DATA, iov, 3, e) < 0)
			return -1;
		offset += part;
		p += part;
		n -= part;
	}
	return 0;
}

int extract_drop(struct extract *x, struct err *e)
{
	struct iovec iov[1];

	return send_message(x, EXTRACT_DROP, iov, 1, e);
}

int extract_finish(struct extract *x, struct extract_totals *out, struct err *e)
{
	struct iovec iov[1];

	if (send_message(x, EXTRACT_END, iov, 1, e) < 0)
		return -1;
	while (!x->done)
		if (wait_for(x, POLLIN, e) < 0)
			return -1;
	*out = x->totals;
	return 0;
}

void extract_free(struct extract *x)
{
	if (!x)
		return;
	(void)close(x->sock);
	if (x->pid > 0) {
		if (!x->done)
			(void)kill(x->pid, SIGKILL);
		while (waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(x);
}
