/* Exclude patterns.  `*` and `?` and `[...]` within a component, `**` across components; a pattern
 * with a leading `/`, or with a `/` before its end, is anchored at the volume's root, others match a name at any
 * depth; a trailing `/` matches directories only.  Bytes, not characters.  What matches is left out
 * with all below it. */
#ifndef SOURCE_MATCH_H
#define SOURCE_MATCH_H

#include <stdbool.h>

/* PATH is "a/b" (no leading "./"). */
bool match_path(const char *pattern, const char *path, bool is_dir);
/* NULL if PATTERN can be used, else why not (static text). */
const char *match_problem(const char *pattern);

#endif
