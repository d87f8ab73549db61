#include "base/report.h"

#include <stdarg.h>
#include <stdio.h>

void report_note(const struct report *r, enum note_kind kind, const char *path, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!r || !r->note)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->note(r->ctx, kind, path, text);
}

void report_progress(const struct report *r, const struct progress *p)
{
	if (r && r->progress)
		r->progress(r->ctx, p);
}
