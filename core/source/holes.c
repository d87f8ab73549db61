/* The map is made by SEEK_HOLE and SEEK_DATA.  While a file has more holes than fit, the
 * list is a heap with the smallest hole on top, which gives way to a larger one. */
#include "source/holes.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t hole_length(const struct hole *h) { return h->end - h->start; }

static void swap(struct hole *a, struct hole *b)
{
	struct hole c = *a;

	*a = *b;
	*b = c;
}

static void heap_down(struct holes *h, size_t i)
{
	for (;;) {
		size_t least = i;

		for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < h->n; k++)
			if (hole_length(&h->list[k]) < hole_length(&h->list[least]))
				least = k;
		if (least == i)
			return;
		swap(&h->list[i], &h->list[least]);
		i = least;
	}
}

static void keep(struct holes *h, struct hole one)
{
	if (hole_length(&one) < HOLES_LEAST)
		return;
	if (h->n < HOLES_MAX) {
		h->list[h->n++] = one;
		if (h->n == HOLES_MAX)
			for (size_t i = HOLES_MAX / 2; i-- > 0;)
				heap_down(h, i);
	} else if (hole_length(&one) > hole_length(&h->list[0])) {
		h->list[0] = one;
		heap_down(h, 0);
	}
}

static int compare(const void *a, const void *b)
{
	const struct hole *x = a;
	const struct hole *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

int holes_map(int fd, uint64_t size, struct holes *out)
{
	uint64_t at = 0;

	out->n = 0;
	while (at < size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno == EINVAL)
			break;
		if (data < 0 && errno != ENXIO)
			return -1;
		if (data < 0 || (uint64_t)data > size)
			data = (off_t)size;
		keep(out, (struct hole){ .start = at, .end = (uint64_t)data });
		if ((uint64_t)data == size)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 &&
		    errno == ENXIO) /* cut short meanwhile; reading will tell */
			break;
		if (hole < 0)
			return -1;
		if (hole <= data) /* no progress: not a file system to trust with holes */
			break;
		at = (uint64_t)hole;
	}
	if (out->n == HOLES_MAX)
		qsort(out->list, out->n, sizeof(*out->list), compare);
	return 0;
}
