/* One INI file, read strictly: sections, keys and values with their line numbers.
 * What sections and keys there are is the caller's business (config.c). */
#ifndef PLAN_INIFILE_H
#define PLAN_INIFILE_H

#include <stddef.h>

struct err;

#define INIFILE_LINE_MAX 4096 /* bytes of a line, without its end */
#define INIFILE_NAME_MAX 49   /* bytes of a section's name, or of a key */
#define INIFILE_MAX (1024 * 1024)

struct inifile_sink {
	void *ctx;
	/* A section begins: the text between the brackets.  Errors of both are the
	 * caller's to fill with ERR_CONFIG and "FILE:LINE: ". */
	int (*section)(void *ctx, const char *name, size_t line, struct err *e);
	/* A key of the section begun last.  VALUE has neither blanks around it nor the
	 * quotes around a whole value; it may be empty. */
	int (*key)(void *ctx, const char *key, const char *value, size_t line,
		   struct err *e);
};

/* Read FILE.  Mistakes are ERR_CONFIG, "FILE:LINE: ..."; so is a file that cannot be
 * read.  What the sink was given counts only after a 0 return. */
int inifile_read(const char *file, const struct inifile_sink *sink, struct err *e);

#endif
