// SPDX-License-Identifier: GPL-2.0-only
/* dump --lazy-pages: serves the memory of the stopped tree, until a restore on another machine has all of it. */
#include <errno.h>
#include <signal.h>
#include "dump/dump.h"
#include "lazy/hang_up.h"
#include "lazy/source.h"
#include "run/dump.h"
#include "run/guard.h"
#include "transport/connection.h"
#include "util/fds.h"
#include "util/log.h"

static struct dump_task *find_task(struct dump *dump, pid_t pid)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump)
		if (dt->t.pid == pid && dt->nr_threads)
			return dt;
	return NULL;
}

static int read_task(void *arg, pid_t pid, uint64_t vaddr, void *to, uint64_t *len)
{
	struct dump_task *dt = find_task(arg, pid);
	int mem = dt ? open_at(dt->proc.dir, "mem", O_RDONLY, 0) : -ESRCH, err;

	if (mem < 0)
		return fail(mem, "pages of process %d", pid);
	err = pread_exact(mem, to, *len, (off_t)vaddr);
	close(mem);
	return err ? fail(err, "%lu bytes at %lx of process %d", *len, vaddr, pid) : 0;
}

/* In the guard, if we have been killed. */
static bool ended_elsewhere(int fd)
{
	struct connection c = CONNECTION_NONE;

	c.fd = fd;
	return lazy_hang_up(&c, 0);
}

static void note_connection(void *arg, const struct connection *c)
{
	struct dump *dump = arg;
	bool ends = !dump->opts->leave_running && !dump->opts->leave_stopped;

	if (dump->guard)
		guard_asks(dump->guard, ended_elsewhere, c->fd, ends ? SIGKILL : 0);
}

/* It runs there: from now on it ends here, whatever happens. */
static void note_complete(void *arg)
{
	struct dump *dump = arg;

	if (dump->opts->leave_running || dump->opts->leave_stopped)
		return;
	dump->elsewhere = true;
	if (dump->guard)
		guard_tree_gets(dump->guard, SIGKILL);
}

int dump_serve_lazy_pages(struct dump *dump)
{
	int err;
	const struct lazy_source source = { .read = read_task,
					    .arg = dump,
					    .live = true,
					    .connected = note_connection,
					    .complete = note_complete,
					    .if_lost = "the tree continues here, and its images are removed" };

	if (!dump->opts->lazy_pages)
		return 0;
	err = lazy_source_serve(dump->opts, &source, dump->signal_fd, -1);
	if (dump->guard)
		guard_asks(dump->guard, NULL, -1, 0);
	return err;
}
