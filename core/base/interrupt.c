#include "base/interrupt.h"

#include <signal.h>
#include <string.h>

#include "base/err.h"

static volatile sig_atomic_t caught;

static void note_signal(int sig)
{
	caught = sig;
}

void interrupt_catch(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = note_signal;
	sa.sa_flags = SA_RESTART;
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
}

int interrupt_check(struct err *e)
{
	if (caught)
		return err_set(e, ERR_FAILED, "interrupted by signal %d", (int)caught);
	return 0;
}
