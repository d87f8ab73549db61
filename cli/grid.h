/* A table for people: columns as wide as what stands in them.  Kept until it is printed,
 * so for rows of a bounded number.  Memory that runs out ends the program, as in json.h.
 */
#ifndef CLI_GRID_H
#define CLI_GRID_H

#include <stdbool.h>
#include <stddef.h>

struct grid;

struct grid_column {
	const char *title;
	bool right; /* aligned to the right; the last column is never padded */
};

/* COLUMNS is borrowed; GAP blanks stand between two of them. */
struct grid *grid_new(const struct grid_column *columns, size_t n, unsigned gap);
/* A row; CELLS are copied. */
void grid_row(struct grid *t, const char *const *cells);
/* Print on stdout, titles first. */
void grid_print(const struct grid *t);
void grid_free(struct grid *t);

#endif
