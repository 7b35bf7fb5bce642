/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Short freezes. A fork inside the process copies only page tables, and the copy is immune to anything that the process
 * does afterwards: writes, munmap, exec, exit. (Write protection by userfaultfd is faster to set up, but munmap and
 * exec drop pages without asking: userfaultfd_unmap_complete comes after the fact.) The process does not see it:
 * pie/parasite/fork.c, dump/copies.c. The kernel copies pages that are written to before they are saved.
 *
 * Shared memory is not copied on write: it is saved while the tree is frozen.
 */
#include "memory/snapshot.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/reap.h"
#include "memory/target_helper.h"
#include "pie/vma.h"
#include "parasite_blob.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* Copying less takes no longer than a fork and its cost for the process afterwards. */
#define WORTH_IT (4ul << 20)
#define ASIDE_MAX (64ul << 20)

bool snapshot_lacks(const VmaEntry *vma)
{
	/*
	 * Huge pages of hugetlbfs come from a pool that may have none for a copy. An AIO ring is shared, and continues
	 * to change.
	 */
	return (vma->flags & MAP_HUGETLB) || (vma->status & VMA_AIO_RING) ||
	       (vma->madv & (BIT(MADV_DONTFORK) | BIT(MADV_WIPEONFORK)));
}

/*
 * The kernel does not let a ring be changed that is mapped, and a copy would map it. net/packet/af_packet.c
 * packet_set_ring
 */
static bool maps_ring(const MmEntry *mm)
{
	for (size_t i = 0; i < mm->n_vmas; i++)
		if (mm->vmas[i]->status & VMA_SOCKET)
			return true;
	return false;
}

/*
 * An orphan of the tree would be adopted, and reaped, by a process that gets a signal for it: it has to remain a child
 * of its origin.
 */
static bool tree_adopts(struct dump *dump)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump)
		if (dt->t.state != TASK_DEAD && (dt->t.pid == 1 || dt->parasite->child_subreaper))
			return true;
	return false;
}

static bool under_seccomp(const struct dump_task *dt)
{
	for (size_t i = 0; i < dt->nr_threads; i++)
		if (dt->threads[i].status.seccomp)
			return true;
	return false;
}

struct making {
	struct target_helper helper;
	pid_t copy, inside;
	bool is_child;
	int err;
};

static void make(void *arg)
{
	struct making *m = arg;
	struct parasite_fork_state f = { 0 };
	int status;

	m->err = target_helper_see_off(&m->helper, NULL, NULL);
	if (!m->err)
		m->err = compel_args_read(m->helper.ctl, 0, &f, offsetof(struct parasite_fork_state, stack));
	if (!m->err && f.copy <= 0)
		m->err = f.copy ? f.copy : -ECHILD;
	if (m->err)
		return;
	m->inside = f.copy;
	m->copy = target_helper_number(&m->helper, f.copy);
	/* 0 is any child of ours. */
	if (m->copy <= 0) {
		m->err = -ECHILD;
		return;
	}
	/* An orphan dies with us; a child must not before its parent is stopped. */
	if (target_helper_wait(m->copy, &status) != m->copy || !WIFSTOPPED(status) ||
	    (!m->is_child && ptrace(PTRACE_SETOPTIONS, m->copy, NULL, (void *)(long)PTRACE_O_EXITKILL)))
		m->err = -ESRCH;
}

static void end_copy(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	target_helper_wait(pid, &status);
}

static int make_copy(const struct dump *dump, struct dump_task *dt, struct snapshot *snap, pid_t guard)
{
	const struct parasite_fork_state clean = { .is_child = snap->is_child, .guard = guard };
	struct making m = {
		.helper = { .pid_ns = dump->pid_ns, .tid = dt->threads[0].id.host_tid },
		.is_child = snap->is_child,
	};
	long value = 0;
	int cured, err = compel_open(m.helper.tid, &m.helper.ctl);

	if (err)
		return err;
	err = compel_infect(m.helper.ctl, &parasite_blob, sizeof(clean));
	if (!err)
		err = compel_args_write(m.helper.ctl, 0, &clean, offsetof(struct parasite_fork_state, stack));
	if (!err)
		err = compel_command_with(m.helper.ctl, PARASITE_FORK, make, &m, &value);
	err = err ? err : value < 0 ? (int)value : m.err;
	cured = compel_cure(m.helper.ctl);
	if (cured)
		err = fail(cured, "remove our code from the process");
	snap->pid = m.copy;
	snap->inside = m.inside;
	return cured ? cured : err ? -EAGAIN : 0;
}

static int read_aside(struct dump_task *dt, struct snapshot *snap, uint64_t start, uint64_t end)
{
	char *grown = realloc(snap->aside, snap->aside_len + (end - start));
	_cleanup_close_ int mem = open_at(dt->proc.dir, "mem", O_RDONLY, 0);
	int err = mem < 0 ? mem : 0;

	if (!grown)
		return -ENOMEM;
	snap->aside = grown;
	if (!err)
		err = pread_exact(mem, grown + snap->aside_len, end - start, (off_t)start);
	snap->aside_len += end - start;
	return err;
}

/* The pages to be saved, and those of them that have to be copied. */
struct counting {
	struct dump_task *dt;
	struct snapshot *put_aside; /* NULL: only count */
	uint64_t all, aside;
};

static int count_run(void *arg, const VmaEntry *vma, const struct page_run *run)
{
	struct counting *c = arg;
	uint64_t len = run->end - run->start;

	if (!page_run_has_content(run) || (vma->status & VMA_VDSO))
		return 0;
	c->all += len;
	if (!snapshot_lacks(vma))
		return 0;
	c->aside += len;
	return c->put_aside ? read_aside(c->dt, c->put_aside, run->start, run->end) : 0;
}

static void drop(struct snapshot *snap)
{
	if (snap->pid > 0)
		end_copy(snap->pid);
	if (snap->mem >= 0)
		close(snap->mem);
	free(snap->aside);
	*snap = (struct snapshot){ .mem = -1 };
}

static void already_ended(void *arg)
{
}

/* While the tree is frozen: if we die, the process runs its part of the copy to the end first (reap_settle). */
static int give_up(struct dump_task *dt, struct snapshot *snap)
{
	const struct reaping r = { { snap->is_child ? snap->pid : 0, snap->inside }, true, already_ended, NULL, NULL };
	int err = 0;

	drop(snap);
	if (r.child.pid > 0)
		err = reap_in(dt->threads[0].id.host_tid, &r);
	return err ? fail(err, "remove the copy of its memory from the process") : 0;
}

int memory_snapshot(struct dump *dump, struct dump_task *dt, const MmEntry *mm)
{
	struct counting c = { .dt = dt };
	struct snapshot *snap;
	pid_t guard = 0;
	int cured, err;

	/* Copies are forked in the target, and we know them by the pids that it sees; their guard is not visible in nested namespaces. */
	if ((dump->pid_level && dump->pid_ns < 0) || dt->pid_ns_unshared || dt->pid_ns_for_children ||
	    dt->time_ns_for_children || dt->t.pid_ns)
		return 0;
	err = memory_classify_pages(dt, mm, count_run, &c);
	if (err || c.all < WORTH_IT || c.aside > ASIDE_MAX || under_seccomp(dt) || maps_ring(mm))
		return err;
	snap = dump_alloc(dump, sizeof(*snap));
	if (!snap)
		return fail(-ENOMEM, "snapshot");
	snap->mem = -1;
	snap->is_child = tree_adopts(dump);
	c.put_aside = snap;
	if (c.aside)
		err = memory_classify_pages(dt, mm, count_run, &c);
	if (!err && snap->is_child && dump->guard_copy(dump, dt, &guard))
		err = -EAGAIN;
	if (!err)
		err = make_copy(dump, dt, snap, guard);
	if (!err)
		snap->mem = open_fmt(proc_root(), O_RDONLY, "%d/mem", snap->pid);
	if (!err && snap->mem >= 0) {
		dt->memory->snapshot = snap;
		return 0;
	}
	cured = give_up(dt, snap);
	if (cured)
		return cured;
	/* -EAGAIN: there may be a limit of processes or memory. The tree stays frozen for longer then. */
	if (err && err != -EAGAIN)
		return err;
	log_info("no snapshot by fork: saving %lu MiB while it is frozen", c.all >> 20);
	return 0;
}

bool memory_has_snapshot(const struct dump_task *dt)
{
	return dt->memory->snapshot != NULL;
}

pid_t memory_snapshot_child(const struct dump_task *dt)
{
	return dt->memory->snapshot && dt->memory->snapshot->is_child ? dt->memory->snapshot->pid : 0;
}

pid_t memory_snapshot_child_inside(const struct dump_task *dt)
{
	return dt->memory->snapshot && dt->memory->snapshot->is_child ? dt->memory->snapshot->inside : 0;
}

void memory_drop_snapshot(struct dump_task *dt)
{
	if (dt->memory->snapshot)
		drop(dt->memory->snapshot);
	dt->memory->snapshot = NULL;
}

void memory_leave_snapshot(struct dump_task *dt)
{
	struct snapshot *snap = dt->memory->snapshot;

	if (snap && snap->is_child && snap->pid > 0) {
		ptrace(PTRACE_DETACH, snap->pid, NULL, NULL);
		snap->pid = 0;
	}
	memory_drop_snapshot(dt);
}
