// SPDX-License-Identifier: GPL-2.0-only
/* whereami PID: queries a process from the inside for its pid and working directory. It continues unaffected. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <compel/compel.h>
#include "whereami.h"
#include "whereami_blob.h"

static int query(pid_t pid, struct whereami *ret)
{
	_cleanup_cure_ struct compel_ctl *ctl = NULL;
	long value;
	int err;

	err = compel_open(pid, &ctl);
	if (!err)
		err = compel_infect(ctl, &whereami_blob, sizeof(*ret));
	if (!err)
		err = compel_command(ctl, WHEREAMI_QUERY, &value);
	if (!err && value < 0)
		err = (int)value;
	if (!err)
		err = compel_args_read(ctl, 0, ret, sizeof(*ret));
	if (err && err != -EAGAIN)
		fprintf(stderr, "whereami: %s: %s\n", compel_error(ctl), strerror(-err));
	return err;
}

int main(int argc, char **argv)
{
	pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
	struct compel_stop stop;
	struct whereami where;
	int err;

	if (pid <= 0) {
		fprintf(stderr, "usage: whereami PID\n");
		return 2;
	}
	do {
		err = compel_seize(pid, true);
		if (!err)
			err = compel_wait_stop(pid, &stop);
		if (err || stop.state == COMPEL_DEAD) {
			fprintf(stderr, "whereami: cannot stop %d: %s\n", pid, strerror(err ? -err : ESRCH));
			return 1;
		}
		err = query(pid, &where);
		compel_detach(pid, &stop);
		/* A previous tracer has died: the process first removes what that has left. */
		if (err == -EAGAIN)
			usleep(1000); /* style: no event signals the end */
	} while (err == -EAGAIN);
	if (!err)
		printf("pid %d, in %s\n", where.pid, where.cwd);
	return err ? 1 : 0;
}
