/* Errors: one sentence, made where the facts are, printed once by main.
 *
 * Every function that can fail takes `struct err *e` last, returns 0 on success and -1 on failure
 * with *e filled.  A positive return is an outcome that its header names.  On success *e is not
 * touched.  e is never NULL. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* The values are the exit codes of the command line (volsnap(1), EXIT STATUS). */
enum err_kind {
	ERR_FAILED = 1,     /* it did not work; nothing was committed */
	ERR_USAGE = 2,      /* wrong command line */
	ERR_INCOMPLETE = 3, /* done, but entries are missing or not restored in full */
	ERR_CONFIG = 4,     /* configuration mistake, named by file and line */
	ERR_DAMAGED = 5,    /* a hash, signature or structure does not fit */
	ERR_NOT_FOUND = 6,  /* no volume or snapshot of that name */
	ERR_KEY = 7,        /* key missing, wrong or locked */
	ERR_STORE = 8,      /* store missing, unreachable, full, or not the expected one */
	ERR_REFUSED = 9,    /* refused to protect data */
};

struct err {
	enum err_kind kind;
	int sys; /* errno at the site, or 0 */
	char text[1200];
};

#define ERR_EMPTY { .kind = ERR_FAILED }

/* Fill *e with a sentence; always returns -1. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with kind ERR_FAILED and ": strerror(errno)" appended; keeps errno in e->sys. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_sys with a kind: what a store does for its own failures (ERR_STORE). */
int err_sys_kind(struct err *e, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "context: " before the sentence already in *e; kind stays; returns -1. */
int err_in(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "out of memory", ERR_FAILED; returns -1. */
int err_memory(struct err *e);

#endif
