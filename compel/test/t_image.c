// SPDX-License-Identifier: GPL-2.0-only
/* The state for images: which call is restarted in another process, at which address, with which timeout. */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>

#include "base/bits.h"
#include "help.h"

struct shared {
	volatile int ready;
	struct timespec whole, left;
};

static struct shared *s;

static void sleep_left(void)
{
	clock_nanosleep(CLOCK_MONOTONIC, 0, &s->whole, &s->left);
}

static void sleep_bare(void)
{
	syscall(SYS_nanosleep, &s->whole, NULL);
}

static void poll_long(void)
{
	poll(NULL, 0, 100000);
}

static void futex_long(void)
{
	static unsigned int word;

	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &s->whole, NULL, 0);
}

static void wait_signal(void)
{
	pause();
}

static void read_pipe(void)
{
	int fds[2];
	char c;

	if (pipe2(fds, O_CLOEXEC) || read(fds[0], &c, 1) != 1)
		exit(1);
}

static void on_signal(int sig)
{
}

static void body(void *arg)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
	s->ready = 1;
	((void (*)(void))arg)();
	pause();
}

static const struct image_case {
	const char *name;
	void (*body)(void);
	long nr; /* expected in ax */
	bool signal; /* one with a handler is pending */
	long again; /* the same after an earlier session; -EINTR if the call cannot be identified then */
} cases[] = {
	{ "sleep_with_remainder", sleep_left, SYS_clock_nanosleep, false, SYS_clock_nanosleep },
	{ "sleep_bare", sleep_bare, SYS_nanosleep, false, -EINTR },
	{ "poll", poll_long, SYS_poll, false, SYS_poll },
	{ "futex", futex_long, SYS_futex, false, -EINTR },
	{ "pause", wait_signal, SYS_pause, false, SYS_pause },
	{ "pipe", read_pipe, SYS_read, false, SYS_read },
	{ "pause_with_signal", wait_signal, -EINTR, true, 0 },
	{ "sleep_with_signal", sleep_bare, -EINTR, true, 0 },
};

static bool inspect(const struct image_case *c, pid_t pid, long want, char *why, size_t size)
{
	struct compel_thread_state image = { 0 }, here = { 0 };
	struct compel_stop stop;
	bool good = false;
	uint64_t rest = 0;
	double left = 0;
	int err;

	wait_state(pid, 'S');
	err = compel_seize(pid, true);
	if (!err)
		err = compel_wait_stop(pid, &stop);
	if (c->signal)
		kill(pid, SIGUSR1);
	if (!err)
		err = state_for_image(pid, &image);
	if (!err)
		err = compel_get_state(pid, &here);
	if (!err) {
		good = (long)image.regs.ax == want && image.regs.orig_ax == (uint64_t)-1 && image.xsave_len >= 576 &&
		       (want == -EINTR || image.regs.ip == here.regs.ip) && image.sigmask == 0;
		/* The remaining time is in the program's buffer. */
		if (c->body == sleep_left) {
			left = s->left.tv_sec + s->left.tv_nsec * 1e-9;
			good &= image.regs.dx == (uint64_t)&s->whole && left < 99.99 && left > 90 &&
				!compel_call_rest(pid, &image, &rest) && rest == (uint64_t)(left * 1e9 + 0.5);
		}
	}
	snprintf(why, size, "%s, ax %ld, ip %#lx and %#lx, left %f", strerror(-err), (long)image.regs.ax,
		 (unsigned long)image.regs.ip, (unsigned long)here.regs.ip, left);
	compel_thread_state_clear(&image);
	compel_thread_state_clear(&here);
	compel_detach(pid, &stop);
	return good;
}

static void run_case(const struct image_case *c)
{
	char why[256] = "", name[64];
	pid_t pid;
	bool good;
	int err;

	s->ready = 0;
	s->whole = (struct timespec){ 100, 0 };
	pid = victim(body, (void *)c->body);
	while (!s->ready)
		usleep(100);
	wait_state(pid, 'S');
	usleep(20000);
	good = inspect(c, pid, c->nr, why, sizeof(why));
	report(c->name, good, "%s", why);
	if (!c->signal) {
		snprintf(name, sizeof(name), "%s_again", c->name);
		err = 0;
		session(pid, &err);
		good = inspect(c, pid, c->again, why, sizeof(why));
		report(name, good && !err, "session %d, %s", err, why);
	}
	end_victim(pid);
}

int main(int argc, char **argv)
{
	s = shared_page();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i]);
	return test_result();
}
