#include "base/entry.h"

/* As if '/' were the lowest byte: a directory's entries come before a sibling whose name goes on
 * from the directory's. */
int entry_path_compare(const char *a, const char *b)
{
	unsigned char x, y;

	while (*a && *a == *b) {
		a++;
		b++;
	}
	x = (unsigned char)*a;
	y = (unsigned char)*b;
	if (x == y)
		return 0;
	if (!x || !y)
		return x ? 1 : -1;
	if (x == '/' || y == '/')
		return x == '/' ? -1 : 1;
	return x < y ? -1 : 1;
}
