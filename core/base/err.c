/* Formatting of error sentences; see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void err_format(struct err *e, const char *fmt, va_list ap)
{
	if (vsnprintf(e->text, sizeof(e->text), fmt, ap) < 0)
		e->text[0] = '\0';
}

static void err_append_errno(struct err *e, int sys)
{
	size_t used = strlen(e->text);

	(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(sys));
	e->sys = sys;
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_format(e, fmt, ap);
	va_end(ap);
	e->kind = kind;
	e->sys = 0;
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	va_start(ap, fmt);
	err_format(e, fmt, ap);
	va_end(ap);
	e->kind = ERR_FAILED;
	err_append_errno(e, sys);
	return -1;
}

int err_sys_kind(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	va_start(ap, fmt);
	err_format(e, fmt, ap);
	va_end(ap);
	e->kind = kind;
	err_append_errno(e, sys);
	return -1;
}

int err_in(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	va_list ap;
	size_t used;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	err_format(e, fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s", old);
	return -1;
}

int err_memory(struct err *e)
{
	return err_set(e, ERR_FAILED, "out of memory");
}
