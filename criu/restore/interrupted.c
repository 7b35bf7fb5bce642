// SPDX-License-Identifier: GPL-2.0-only
#include "restore/interrupted.h"
#include <errno.h>
#include "run/interrupt.h"
#include "util/log.h"

int restore_interrupted(void)
{
	int sig = interrupt_take();

	return sig ? fail(-EINTR, "stopped by signal %d: nothing of the tree is left", sig) : 0;
}
