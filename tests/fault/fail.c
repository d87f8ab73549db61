/* Loaded before volsnap by inject.py: lets the FAIL_AT-th allocation fail, or, with FAIL_SHORT, the
 * FAIL_AT-th write be short.  FAIL_STICKY: and all after it.  FAIL_COUNT names a file that gets the
 * number of calls at exit.  One thread only counts exactly: run on one CPU.  A crash is told with the
 * object that it happened in: libarchive does not check every allocation, and we do. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static atomic_long calls;
static long at;
static int sticky, shorten;

static void say(const char *text)
{
	(void)!syscall(SYS_write, 2, text, strlen(text));
}

static void crash(int sig, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	Dl_info where = { .dli_fname = NULL };
#if defined(__x86_64__)
	void *pc = (void *)c->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	void *pc = (void *)c->uc_mcontext.pc;
#else
	void *pc = NULL;
	(void)c;
#endif

	(void)info;
	say("crashed in ");
	say(dladdr(pc, &where) && where.dli_fname ? where.dli_fname : "?");
	say("\n");
	signal(sig, SIG_DFL);
	raise(sig);
}

__attribute__((constructor)) static void begin(void)
{
	struct sigaction act = { .sa_sigaction = crash, .sa_flags = SA_SIGINFO | SA_NODEFER };
	const char *text = getenv("FAIL_AT");

	sigaction(SIGSEGV, &act, NULL);
	sticky = getenv("FAIL_STICKY") != NULL;
	shorten = getenv("FAIL_SHORT") != NULL;
	calls = 0;
	at = text ? strtol(text, NULL, 10) : 0;
}

__attribute__((destructor)) static void end(void)
{
	const char *name = getenv("FAIL_COUNT");
	FILE *f = name ? fopen(name, "w") : NULL;

	at = 0;
	if (f) {
		fprintf(f, "%ld\n", (long)calls);
		fclose(f);
	}
}

static int fails(int write)
{
	long n;

	if (write != shorten)
		return 0;
	n = ++calls;
	return at && (sticky ? n >= at : n == at);
}

static void *none(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t n) { return fails(0) ? none() : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails(0) ? none() : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return fails(0) ? none() : __libc_realloc(p, n); }
void *memalign(size_t align, size_t n) { return fails(0) ? none() : __libc_memalign(align, n); }
void *aligned_alloc(size_t align, size_t n) { return memalign(align, n); }

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	return __builtin_mul_overflow(n, size, &all) ? none() : realloc(p, all);
}

int posix_memalign(void **out, size_t align, size_t n)
{
	void *p = memalign(align, n);

	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

/* A true short write: the first half is written. */
ssize_t write(int fd, const void *p, size_t n)
{
	return syscall(SYS_write, fd, p, n > 1 && fails(1) ? n / 2 : n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t offset)
{
	return syscall(SYS_pwrite64, fd, p, n > 1 && fails(1) ? n / 2 : n, offset);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t offset) { return pwrite(fd, p, n, offset); }
