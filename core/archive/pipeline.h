/* Frames on their way from being filled to being written: two workers pack them, they
 * come back in the order in which they were given (DESIGN "Small chunks, big frames,
 * extents").
 *
 *     take -> fill -> give ... collect -> write -> release
 *
 * One thread calls all of this.  On a host with one CPU, or where threads cannot be had,
 * packing happens in pipeline_give. */
#ifndef ARCHIVE_PIPELINE_H
#define ARCHIVE_PIPELINE_H

#include <stdint.h>

struct err;
struct frame;
struct packer;
struct pipeline;

#define PIPELINE_FRAMES 5
#define PIPELINE_WORKERS 2

/* ID_KEY is borrowed throughout.  WORKERS 0..PIPELINE_WORKERS; see pipeline_workers. */
struct pipeline *pipeline_new(int level, unsigned workers, const uint8_t id_key[32],
			      struct err *e);
/* As many workers as this process's CPUs ask for: none with one. */
unsigned pipeline_workers(void);
/* Waits for what is being packed; what was not collected is forgotten. */
void pipeline_free(struct pipeline *p);

/* A frame to fill, or NULL: all are given or taken; collect one first. */
struct frame *pipeline_take(struct pipeline *p);
/* A filled frame, to be packed. */
void pipeline_give(struct pipeline *p, struct frame *f);
/* The oldest given frame, packed; waits for it.  1: none is given.  An error is that of
 * its packing; the frame is released then. */
int pipeline_collect(struct pipeline *p, struct frame **out, struct err *e);
/* It may be filled again. */
void pipeline_release(struct pipeline *p, struct frame *f);

/* The calling thread's own packer, for small records. */
struct packer *pipeline_packer(struct pipeline *p);

#endif
