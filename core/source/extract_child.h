/* The two ends of the line between the job and its extracting child. */
#ifndef SOURCE_EXTRACT_CHILD_H
#define SOURCE_EXTRACT_CHILD_H

#include <stdint.h>

#include "base/entry.h"

/* Messages: this head, then LEN bytes. */
struct extract_head {
	uint32_t type, len;
};

enum extract_type {
	/* to the child */
	EXTRACT_TARGET, /* u8 devices; the directory's descriptor comes along */
	EXTRACT_ENTRY,	/* header */
	EXTRACT_DATA,	/* u64 offset, bytes */
	EXTRACT_DROP,	/* nothing; the file whose content came last goes */
	EXTRACT_END,	/* nothing */
	/* from the child */
	EXTRACT_NOTE,	/* path, NUL, text, NUL */
	EXTRACT_ERROR,	/* u32 kind, u32 errno, text, NUL; then it ends */
	EXTRACT_TOTALS, /* struct extract_totals; then it ends */
};

#define EXTRACT_PIECE (128 * 1024) /* most bytes of content in one message */
#define EXTRACT_MESSAGE_MAX ENTRY_HEADER_MAX
#define EXTRACT_REPLY_MAX 8192

/* Serve the job at SOCK until its end.  Returns the process's exit status. */
int extract_child(int sock);

#endif
