// SPDX-License-Identifier: GPL-2.0-only
/*
 * No wait is unlimited: a thread that never stops, because someone else has changed what it does, is given up, and
 * continues by itself when the tracer has exited.
 */
#include <fcntl.h>

#include "base/bits.h"
#include "help.h"

/* More than any limit, whatever else the machine does. */
#define END_S 100

static struct shared {
	volatile long ready, turns;
} * s;
static int fds[2];
static char byte[1]; /* of the victim */

/* The parent waits uninterruptibly until its child exits. */
static void body_vfork(void *arg)
{
	char c;

	s->ready = 1;
	if (!vfork())
		_exit(read(fds[0], &c, 1) == 1 ? 0 : 1);
	for (;;)
		s->turns++;
}

static void body_count(void *arg)
{
	for (s->ready = 1;;)
		s->turns++;
}

static int stop_it(pid_t pid)
{
	struct compel_stop stop;
	int err = compel_seize(pid, true);

	return err ? err : compel_wait_own_stop(pid, &stop);
}

/* As if its code had been replaced by one that waits. */
static int call_that_waits(pid_t pid)
{
	const unsigned long args[6] = { fds[0], (unsigned long)byte, 1 };
	struct compel_ctl *ctl;
	struct compel_stop stop;
	long value;
	int err = open_target(pid, &stop, &ctl);

	return err ? err : compel_syscall(ctl, SYS_read, args, &value);
}

static bool counts(void)
{
	long turns = s->turns;

	for (int i = 0; i < END_S * 1000 && s->turns == turns; i++)
		usleep(1000);
	return s->turns != turns;
}

static void run_case(const char *name, void (*body)(void *), int (*action)(pid_t), char state)
{
	pid_t pid, tracer;
	int status = 0;
	bool counted;

	*s = (struct shared){ 0 };
	if (pipe2(fds, O_CLOEXEC))
		exit(1);
	pid = victim(body, NULL);
	while (!s->ready)
		usleep(100);
	if (state)
		wait_state(pid, state);
	tracer = fork();
	if (!tracer) {
		alarm(END_S);
		_exit(-action(pid));
	}
	waitpid(tracer, &status, 0);
	if (write(fds[1], "x", 1) != 1)
		perror("write");
	counted = counts();
	report(name, WIFEXITED(status) && WEXITSTATUS(status) == ETIMEDOUT && counted, "status %#x, it %s", status,
	       counted ? "continues" : "does not continue");
	end_victim(pid);
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	s = shared_page();
	run_case("own_stop", body_vfork, stop_it, 'D');
	run_case("call", body_count, call_that_waits, 0);
	return test_result();
}
