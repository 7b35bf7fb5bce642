// SPDX-License-Identifier: GPL-2.0-only
/* Shared by the tests. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "help.h"

static int cases, failures;

void report(const char *name, bool good, const char *why, ...)
{
	va_list ap;

	cases++;
	if (good) {
		printf("ok %s\n", name);
	} else {
		failures++;
		printf("not ok %s: ", name);
		va_start(ap, why);
		vprintf(why, ap);
		va_end(ap);
		putchar('\n');
	}
	fflush(stdout);
}

int test_result(void)
{
	printf("1..%d\n", cases);
	return failures ? 1 : 0;
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

void *shared_page(void)
{
	void *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

pid_t victim(void (*body)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body(arg);
		_exit(0);
	}
	return pid;
}

void end_victim(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

size_t proc_text(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	size_t have = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return buf[0] = 0;
	while (have < size - 1 && (n = read(fd, buf + have, size - 1 - have)) > 0)
		have += n;
	close(fd);
	buf[have] = 0;
	return have;
}

unsigned long status_value(pid_t pid, const char *key, int base)
{
	char text[8192], *at;

	proc_text(pid, "status", text, sizeof(text));
	at = strstr(text, key);
	return at ? strtoul(at + strlen(key), NULL, base) : 0;
}

bool wait_state(pid_t tid, char state)
{
	char text[512], *at;

	for (int i = 0; i < 600000; i++) {
		proc_text(tid, "stat", text, sizeof(text));
		at = strrchr(text, ')');
		if (at && at[2] == state)
			return true;
		usleep(100);
	}
	return false;
}

static int stop(pid_t tid, struct compel_stop *ret)
{
	int err = compel_seize(tid, true);

	if (!err)
		err = compel_wait_stop(tid, ret);
	return !err && ret->state == COMPEL_DEAD ? -ESRCH : err;
}

int open_target(pid_t pid, struct compel_stop *ret_stop, struct compel_ctl **ret_ctl)
{
	for (int tries = 0;; tries++) {
		int err = stop(pid, ret_stop);

		if (err)
			return err;
		err = compel_open(pid, ret_ctl);
		if (!err)
			return 0;
		compel_detach(pid, ret_stop);
		if (err != -EAGAIN || tries > 100000)
			return err;
		usleep(500);
	}
}

#define TRY(call)                        \
	do {                             \
		err = (call);            \
		if (err) {               \
			*ret_err = err;  \
			return __LINE__; \
		}                        \
	} while (0)

static int run_in(struct compel_ctl *ctl, pid_t pid, int *ret_err)
{
	struct probe_args args = { .count = 20 };
	const unsigned long none[6] = { 0 };
	long value;
	int err;

	TRY(compel_syscall(ctl, SYS_getppid, none, &value));
	TRY(value < 0);
	TRY(compel_infect(ctl, &probe_blob, sizeof(args)));
	TRY(compel_args_write(ctl, 0, &args, sizeof(args)));
	TRY(compel_command(ctl, PROBE_CALLS, &value));
	TRY(value != 0);
	TRY(compel_command(ctl, PROBE_IDS, &value));
	TRY(value != pid);
	TRY(compel_args_read(ctl, 0, &args, sizeof(args)));
	TRY(args.pid != pid || args.sum != 8192 + 71);
	TRY(compel_syscall(ctl, SYS_getpid, none, &value));
	TRY(value != pid);
	return 0;
}

int session(pid_t pid, int *ret_err)
{
	struct compel_stop how;
	struct compel_ctl *ctl;
	int err, line;

	TRY(open_target(pid, &how, &ctl));
	line = run_in(ctl, pid, ret_err);
	if (line)
		fprintf(stderr, "why: %s\n", compel_error(ctl));
	err = compel_cure(ctl);
	if (!line && err) {
		*ret_err = err;
		line = __LINE__;
	}
	err = compel_detach(pid, &how);
	if (!line && err) {
		*ret_err = err;
		line = __LINE__;
	}
	return line;
}

#define MAX_THREADS 512

static int stop_all(pid_t pid, pid_t *tids, struct compel_stop *stops, size_t *ret_nr)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *e;
	char path[64];
	size_t nr = 0;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((e = readdir(dir)) && nr < MAX_THREADS)
		if (atoi(e->d_name) > 0) {
			tids[nr] = atoi(e->d_name);
			err = compel_seize(tids[nr], true);
			if (err)
				return err;
			nr++;
		}
	for (size_t i = 0; i < nr; i++) {
		err = compel_wait_stop(tids[i], &stops[i]);
		if (err)
			return err;
	}
	*ret_nr = nr;
	return 0;
}

static int run_in_threads(struct compel_ctl *ctl, pid_t pid, const pid_t *tids, size_t nr, int *ret_err)
{
	const unsigned long none[6] = { 0 };
	long value;
	int err;

	TRY(compel_infect(ctl, &probe_blob, sizeof(struct probe_args)));
	for (size_t i = 0; i < nr; i++) {
		TRY(compel_thread_syscall(ctl, tids[i], SYS_gettid, none, &value));
		TRY(value != tids[i]);
		TRY(compel_thread_command(ctl, tids[i], NULL, PROBE_IDS, &value));
		TRY(value != tids[i]);
	}
	TRY(compel_command(ctl, PROBE_IDS, &value));
	TRY(value != pid);
	return 0;
}

int session_threads(pid_t pid, int *ret_err)
{
	struct compel_stop stops[MAX_THREADS];
	struct compel_ctl *ctl = NULL;
	pid_t tids[MAX_THREADS];
	int err, line = 0;
	size_t nr = 0;

	for (int tries = 0;; tries++) {
		TRY(stop_all(pid, tids, stops, &nr));
		err = compel_open(pid, &ctl);
		if (!err)
			break;
		for (size_t i = 0; i < nr; i++)
			compel_detach(tids[i], &stops[i]);
		if (err != -EAGAIN || tries > 100000)
			TRY(err);
		usleep(500);
	}
	line = run_in_threads(ctl, pid, tids, nr, ret_err);
	if (line)
		fprintf(stderr, "why: %s\n", compel_error(ctl));
	err = compel_cure(ctl);
	for (size_t i = 0; i < nr; i++) {
		int e = compel_detach(tids[i], &stops[i]);

		err = err ? err : e;
	}
	if (!line && err) {
		*ret_err = err;
		line = __LINE__;
	}
	return line;
}

int state_for_image(pid_t tid, struct compel_thread_state *ret_state)
{
	struct compel_snapshot snapshot;
	int err = compel_inspect(tid, NULL, &snapshot);

	return err ? err : compel_snapshot_for_image(tid, &snapshot, ret_state);
}
