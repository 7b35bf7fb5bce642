/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection, in debug builds only (make DEBUG=1). Every call below is redirected here by the linker's --wrap, so
 * no other file is involved. CRIU_FAULT=PHASE:N[:ERRNO] makes the Nth call of the phase fail; phases: `save` (a dump up
 * to the point where the tree is released), `restore` (the tool and its tasks, until the tree runs), `kill` (either:
 * the tool is killed instead). With CRIU_FAULT=finish no task of a restore can be taken out of the restorer. Calls are counted in memory that all processes of the run share, so N counts the calls
 * of all of them.
 */
#ifdef DEBUG_FAULTS
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "util/faults.h"

struct order {
	_Atomic long left; /* calls until the fault; below 0: it has happened, or none was requested */
	_Atomic int armed;
	pid_t tool;
	int error;
	bool kills;
	struct stat stderr_was;
	char untold[96];
};

static struct order *order;

static const struct {
	const char *name;
	int value;
} errors[] = { { "EIO", EIO },	     { "ENOSPC", ENOSPC }, { "EACCES", EACCES }, { "EPERM", EPERM },
	       { "ENOMEM", ENOMEM }, { "EINTR", EINTR },   { "ESRCH", ESRCH },	 { "EMFILE", EMFILE } };

static int error_of(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(errors[i].name, name))
			return errors[i].value;
	return EIO;
}

static void arm(const char *phase)
{
	const char *text = getenv("CRIU_FAULT"), *colon = text ? strchr(text, ':') : NULL;
	char *end;

	if (!colon)
		return;
	order = mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (order == MAP_FAILED)
		abort();
	order->kills = !strncmp(text, "kill:", 5);
	atomic_store(&order->left, strtol(colon + 1, &end, 10) - 1);
	order->error = error_of(*end == ':' ? end + 1 : "EIO");
	order->tool = getpid();
	fstat(STDERR_FILENO, &order->stderr_was);
	atomic_store(&order->armed, order->kills || !strncmp(text, phase, strlen(phase)));
}

static void disarm(void)
{
	if (order)
		atomic_store(&order->armed, 0);
}

/* In a task this number may belong to one of its own files by now, a pipe for example: then the tool prints it. */
static void tell(const char *text)
{
	struct stat now;

	if (!fstat(STDERR_FILENO, &now) && now.st_dev == order->stderr_was.st_dev &&
	    now.st_ino == order->stderr_was.st_ino)
		fputs(text, stderr);
	else
		strcpy(order->untold, text);
}

/* Must this call fail? */
static bool fails(const char *what, long arg)
{
	char text[sizeof(order->untold)];

	if (!order || !atomic_load(&order->armed) || atomic_fetch_sub(&order->left, 1))
		return false;
	snprintf(text, sizeof(text), "fault in %d: %s(%#lx)\n", getpid(), what, arg);
	tell(text);
	if (order->kills) {
		kill(order->tool, SIGKILL);
		return false;
	}
	errno = order->error;
	return true;
}

/* Arguments as the kernel takes them: each of these calls has at most six, also the variadic ones. */
#define WRAP_AS(type, bad, name)                                                     \
	type __real_##name(long a, long b, long c, long d, long e, long f, long g);  \
	type __wrap_##name(long a, long b, long c, long d, long e, long f, long g);  \
	type __wrap_##name(long a, long b, long c, long d, long e, long f, long g)   \
	{                                                                            \
		return fails(#name, a) ? (bad) : __real_##name(a, b, c, d, e, f, g); \
	}
#define WRAP(name) WRAP_AS(long, -1, name)
#define WRAP_INT(name) WRAP_AS(int, -1, name)
#define WRAP_POINTER(name) WRAP_AS(void *, NULL, name)

FAULT_CALLS(WRAP, WRAP_INT, WRAP_POINTER)

struct options;
struct dump;
struct restore_result;
int __real_dump_run(const struct options *opts);
int __wrap_dump_run(const struct options *opts);
void __real_dump_thaw(struct dump *dump);
void __wrap_dump_thaw(struct dump *dump);
int __real_restore_run(const struct options *opts, struct restore_result *ret);
int __wrap_restore_run(const struct options *opts, struct restore_result *ret);

struct compel_thread_state;
struct compel_region;
struct compel_finish;
int __real_compel_finish_begin(pid_t tid, const struct compel_thread_state *after, const struct compel_region *region,
			       struct compel_finish **ret_finish);
int __wrap_compel_finish_begin(pid_t tid, const struct compel_thread_state *after, const struct compel_region *region,
			       struct compel_finish **ret_finish);

int __wrap_dump_run(const struct options *opts)
{
	arm("save");
	return __real_dump_run(opts);
}

void __wrap_dump_thaw(struct dump *dump)
{
	disarm();
	__real_dump_thaw(dump);
}

int __wrap_compel_finish_begin(pid_t tid, const struct compel_thread_state *after, const struct compel_region *region,
			       struct compel_finish **ret_finish)
{
	const char *text = getenv("CRIU_FAULT");

	return text && !strcmp(text, "finish") ? -ENOMEM : __real_compel_finish_begin(tid, after, region, ret_finish);
}

int __wrap_restore_run(const struct options *opts, struct restore_result *ret)
{
	int err;

	arm("restore");
	err = __real_restore_run(opts, ret);
	if (order)
		fputs(order->untold, stderr);
	return err;
}
#endif
