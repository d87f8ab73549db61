/* Each string lies in the file as its length (two bytes) and its bytes; its place is the
 * offset. The file is made with the first string. */
#include "source/texts.h"

#include <stdlib.h>
#include <string.h>

#include "base/entry.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "base/wire.h"

struct texts {
	char *scratch;
	int fd;
	uint64_t len;
};

int texts_new(const char *scratch, struct texts **out, struct err *e)
{
	struct texts *t = calloc(1, sizeof(*t));

	if (!t)
		return err_memory(e);
	t->fd = -1;
	t->scratch = strdup(scratch);
	if (!t->scratch) {
		texts_free(t);
		return err_memory(e);
	}
	*out = t;
	return 0;
}

void texts_free(struct texts *t)
{
	if (!t)
		return;
	scope_close(&t->fd);
	free(t->scratch);
	free(t);
}

int texts_put(struct texts *t, const char *text, uint64_t *place, struct err *e)
{
	uint8_t room[2 + ENTRY_PATH_MAX];
	size_t n = strlen(text);

	if (n > ENTRY_PATH_MAX)
		return err_set(e, ERR_FAILED, "a text of %zu bytes is too long", n);
	if (t->fd < 0 && (t->fd = file_temp(t->scratch, e)) < 0)
		return -1;
	wire_set16(room, (uint16_t)n);
	memcpy(room + 2, text, n);
	if (file_pwrite(t->fd, room, n + 2, (off_t)t->len) < 0)
		return err_sys(e, "write a spill file of paths");
	*place = t->len;
	t->len += n + 2;
	return 0;
}

int texts_get(struct texts *t, uint64_t place, char *out, struct err *e)
{
	uint8_t room[2 + ENTRY_PATH_MAX];
	ssize_t got = file_pread(t->fd, room, sizeof(room), (off_t)place);
	size_t n;

	if (got < 0)
		return err_sys(e, "read a spill file of paths");
	n = got < 2 ? 0 : wire_get16(room);
	if (got < 2 || n > ENTRY_PATH_MAX || (size_t)got < n + 2)
		return err_set(e, ERR_FAILED, "a spill file of paths is cut short");
	memcpy(out, room + 2, n);
	out[n] = '\0';
	return 0;
}
