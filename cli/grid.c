#include "grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

struct grid {
	const struct grid_column *columns;
	size_t n;
	unsigned gap;
	size_t *widths;
	struct bytes cells; /* texts with their NULs, row by row */
};

static void no_memory(void)
{
	(void)fputs("volsnap: out of memory\n", stderr);
	exit(1);
}

struct grid *grid_new(const struct grid_column *columns, size_t n, unsigned gap)
{
	struct grid *t = calloc(1, sizeof(*t));
	size_t *widths = calloc(n, sizeof(*widths));

	if (!t || !widths) {
		no_memory();
		return NULL;
	}
	*t = (struct grid){ .columns = columns, .n = n, .gap = gap, .widths = widths };
	for (size_t i = 0; i < n; i++)
		widths[i] = strlen(columns[i].title);
	return t;
}

void grid_row(struct grid *t, const char *const *cells)
{
	struct err e = ERR_EMPTY;

	for (size_t i = 0; i < t->n; i++) {
		size_t len = strlen(cells[i]);

		if (bytes_append(&t->cells, cells[i], len + 1, &e) < 0)
			no_memory();
		if (len > t->widths[i])
			t->widths[i] = len;
	}
}

static void print_cell(const struct grid *t, size_t i, const char *text)
{
	int width = (int)t->widths[i];
	bool last = i + 1 == t->n;

	/* No blanks at the end of a line. */
	if (i > 0 && !(last && !*text))
		(void)printf("%*s", (int)t->gap, "");
	if (t->columns[i].right)
		(void)printf("%*s", width, text);
	else
		(void)printf("%-*s", last ? 0 : width, text);
	if (last)
		(void)putchar('\n');
}

void grid_print(const struct grid *t)
{
	size_t at = 0;

	for (size_t i = 0; i < t->n; i++)
		print_cell(t, i, t->columns[i].title);
	for (size_t i = 0; at < t->cells.len; i++) {
		const char *text = (const char *)t->cells.p + at;

		print_cell(t, i % t->n, text);
		at += strlen(text) + 1;
	}
}

void grid_free(struct grid *t)
{
	if (!t)
		return;
	bytes_free(&t->cells);
	free(t->widths);
	free(t);
}
