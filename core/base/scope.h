/* Resources that clean up after themselves at the end of their scope.
 *
 *     auto_close int fd = -1;          closed unless -1
 *     auto_free char *text = NULL;     freed
 *     return take_fd(&fd);             gives the descriptor away
 */
#ifndef BASE_SCOPE_H
#define BASE_SCOPE_H

#include <stdlib.h>
#include <unistd.h>

static inline void scope_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void scope_free(void *p)
{
	free(*(void **)p);
}

static inline int take_fd(int *fd)
{
	int given = *fd;

	*fd = -1;
	return given;
}

#define auto_close __attribute__((cleanup(scope_close)))
#define auto_free __attribute__((cleanup(scope_free)))

#endif
