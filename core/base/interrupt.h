/* SIGINT and SIGTERM as a question: work that can stop cleanly asks between steps. */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

struct err;

/* Catch both signals from now on. */
void interrupt_catch(void);
/* -1 with "interrupted" once one arrived, else 0. */
int interrupt_check(struct err *e);

#endif
