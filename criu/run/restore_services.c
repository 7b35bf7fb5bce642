/* SPDX-License-Identifier: GPL-2.0-only */
/* Services for kinds during a restore: see restore.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "kernel/pid_ns.h"
#include "run/network.h"
#include "run/opener.h"
#include "run/outside.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/array.h"
#include "util/fds.h"
#include "util/log.h"

void *restore_alloc(struct restore *r, size_t size)
{
	return arena_alloc(&r->arena, size);
}

struct file *restore_file(struct restore *r, uint32_t id, const char *who)
{
	struct file *file = hash_get_ptr(&r->plan.file_by_id, id);

	if (!file)
		log_error("%s refers to file %#x, which is not in files.img", who, id);
	return file;
}

struct restore_task *restore_find_task(struct restore *r, pid_t pid)
{
	return hash_get_ptr(&r->plan.task_by_pid, pid);
}

struct restore_thread *restore_find_thread(struct restore *r, pid_t tid)
{
	uint64_t pid;
	struct restore_task *rt =
		hash_get(&r->plan.tids, (uint64_t)tid, &pid) ? restore_find_task(r, (pid_t)pid) : NULL;

	for (size_t i = 1; rt && i < rt->nr_threads; i++)
		if (rt->threads[i].id.tid == tid)
			return &rt->threads[i];
	return NULL;
}

static int open_in_network(struct restore *r, struct file *file)
{
	struct network_visit visit;
	int fd = network_enter(r, file->network, &visit), left;

	if (fd < 0)
		return fd;
	fd = file->kind->open(r, file, file->state);
	left = network_leave(r, &visit);
	if (left && fd >= 0)
		close(fd);
	return left ? left : fd;
}

int restore_call_open(struct restore *r, struct file *file, const struct audience *to)
{
	const struct audience *before = r->process.opening_for;
	bool nested = r->process.opening;
	int fd;

	r->process.opening = true;
	r->process.opening_for = to;
	/* Kinds with by_name assume rights themselves, and keep them for the next file. */
	if (!file->kind->by_name)
		opener_leave(r);
	fd = open_in_network(r, file);
	r->process.opening = nested;
	r->process.opening_for = before;
	return fd;
}

int restore_call_finish(struct restore *r, struct file *file, int fd)
{
	struct network_visit visit;
	int err, left;

	if (!file->kind->finish)
		return 0;
	err = network_enter(r, file->network, &visit);
	if (err)
		return err;
	err = file->kind->finish(r, file, file->state, fd);
	left = network_leave(r, &visit);
	return err ? err : left;
}

static int open_file_for(struct restore *r, struct file *file, const struct audience *to)
{
	int fd, moved;

	if (!file->kind->open)
		return fail(-EOPNOTSUPP, "file %#x (%s) cannot be opened by itself", file->id, file->kind->name);
	fd = restore_call_open(r, file, to);
	opener_leave(r);
	if (fd < 0)
		return fd;
	moved = move_fd_above(fd, r->service_base);
	if (moved < 0) {
		close(fd);
		return fail(moved, "keep file %#x open", file->id);
	}
	return moved;
}

/* A file that is needed to open another one gets that one's audience. */
int restore_open_file(struct restore *r, struct file *file)
{
	return open_file_for(r, file,
			     r->process.opening ? r->process.opening_for : audience_of_task(r, r->process.task));
}

int restore_open_file_for_all(struct restore *r, struct file *file)
{
	return open_file_for(r, file, audience_of_all(r));
}

int restore_open_file_proven(struct restore *r, struct file *file)
{
	int fd;

	r->process.opening_proven = true;
	fd = restore_open_file(r, file);
	r->process.opening_proven = false;
	return fd;
}

int restore_provide(struct restore *r, struct file *other, int fd)
{
	int moved = move_fd_above(fd, r->service_base);

	if (moved < 0) {
		close(fd);
		return fail(moved, "keep file %#x for another task", other->id);
	}
	/* Our own will soon be moved to its final number: a table at its limit has no space for many pending ones. */
	if (r->process.task && other->owner == r->process.task)
		return array_add(&r->process.provided, ((struct provided){ other, moved })) ? fail(-ENOMEM, "files") :
											      0;
	shared_file_set(r->shared, other->index, r->process.task ? r->process.task->t.pid : getpid(), moved);
	return 0;
}

pid_t restore_number_in(const struct restore *r, const struct ns *ns, pid_t number)
{
	const struct inner_numbers *inner;

	if (!ns)
		return number;
	inner = hash_get_ptr(&r->plan.inner_numbers, (uint64_t)number);
	return inner ? inner_number(inner, ns) : 0;
}

pid_t restore_number_seen(const struct restore *r, const struct restore_task *task, pid_t number)
{
	return restore_number_in(r, task->t.pid_ns, number);
}

pid_t restore_number_of(const struct restore *r, pid_t number)
{
	return r->process.task ? restore_number_seen(r, r->process.task, number) : restore_number_here(r, number);
}

int restore_open_process(const struct restore *r, pid_t number, unsigned flags)
{
	const pid_t seen = restore_number_of(r, number);

	if (r->process.task && !seen)
		return outside_open_process(r, number, flags);
	return seen > 0 ? sys_pidfd_open(seen, flags) : -ESRCH;
}

#define GETFD_STEP_US 200u
#define GETFD_STEPS 50000u /* 10 s */

/*
 * In a user namespace, other tasks may not be accessed: not at all if its owner might do the same, otherwise while they change
 * ids, which makes them undumpable for a moment (set_owner(), run/opener.h, unix/bind.c).
 */
int restore_getfd(const struct restore *r, int pidfd, int number)
{
	const struct ns *user = restore_user_ns(r);
	int fd = sys_pidfd_getfd(pidfd, number);

	if (fd == -EPERM)
		fd = outside_getfd(r, pidfd, number);
	/* What cannot be sent: an io_uring. */
	for (unsigned i = 0; fd == -EINVAL && i < GETFD_STEPS && user && !user_ns_of(user)->foreign; i++) {
		usleep(GETFD_STEP_US); /* style: there is no event for it */
		fd = sys_pidfd_getfd(pidfd, number);
		fd = fd == -EPERM ? -EINVAL : fd;
	}
	return fd;
}

int restore_copy_fd(struct restore *r, const struct file *file)
{
	_cleanup_close_ int pidfd = -1;
	pid_t pid;
	int fd, err;

	if (file->inherited >= 0) {
		fd = dup_fd_above(file->inherited, r->service_base);
		return fd < 0 ? fail(fd, "copy file %#x", file->id) : fd;
	}
	err = shared_file_wait(r->shared, file->index, &pid, &fd);
	if (err < 0)
		return err;
	/* Nothing is taken from a process that is not of the tree, whoever wrote the number. */
	if (!restore_find_task(r, pid))
		return fail(-ESRCH, "take file %#x from process %d, which is not one of the tree", file->id, pid);
	pidfd = restore_open_process(r, pid, 0);
	fd = pidfd < 0 ? pidfd : restore_getfd(r, pidfd, fd);
	return fd < 0 ? fail(fd, "take file %#x from task %d", file->id, pid) : fd;
}

int restore_borrow_fd(struct restore *r, struct file *file, bool *ret_borrowed)
{
	for (size_t i = 0; i < file->nr_users; i++) {
		if (file->users[i].task->t.ids.files == r->process.task->t.ids.files) {
			*ret_borrowed = true;
			return file->users[i].fd;
		}
	}
	*ret_borrowed = false;
	return restore_copy_fd(r, file);
}

static int peek(pid_t pid, uint64_t addr, void *to, size_t len)
{
	struct iovec local = { to, len }, remote = { (void *)(uintptr_t)addr, len };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

int restore_enter(struct restore *r, const struct restore_task *rt, struct compel_ctl **ret_ctl, uint64_t *ret_scratch)
{
	struct wire_thread leader = { 0 };
	struct wire_task wire = { 0 };
	int err = peek(rt->t.host_pid, r->shared->tasks[rt->t.index].wire, &wire, sizeof(wire));

	/* The leader waits at the top of its stack. */
	if (!err)
		err = peek(rt->t.host_pid, wire.threads, &leader, sizeof(leader));
	if (!err)
		err = compel_open(rt->threads[0].id.host_tid, ret_ctl);
	if (!err)
		*ret_scratch = leader.stack;
	return err;
}

static int set_uids(uid_t real, uid_t effective, uid_t saved)
{
	/* For this thread only: libc would change those of all threads that share our memory. */
	return syscall(SYS_setresuid, real, effective, saved) ? -errno : 0;
}

/*
 * The kernel records the ids that set an owner, and checks them when it sends the signal. So the call is made with
 * these ids. What a change of ids resets is restored: dumpable, and the parent death signal.
 */
static int set_owner(const struct restore *r, int fd, const struct f_owner_ex *owner, const FownEntry *fown)
{
	const uid_t uid = restore_uid_here(r, fown->uid), euid = restore_uid_here(r, fown->euid);
	uid_t real, effective, saved;
	int dumpable, pdeath = 0, err, back;

	if (getresuid(&real, &effective, &saved) || (real == uid && effective == euid))
		return fcntl(fd, F_SETOWN_EX, owner) < 0 ? -errno : 0;
	dumpable = prctl(PR_GET_DUMPABLE);
	prctl(PR_GET_PDEATHSIG, &pdeath);
	err = set_uids(uid, euid, effective);
	if (err) {
		log_info("descriptor %d: its owner was set by user %u (%u), and is set by %u now", fd, uid, euid, real);
		return fcntl(fd, F_SETOWN_EX, owner) < 0 ? -errno : 0;
	}
	err = fcntl(fd, F_SETOWN_EX, owner) < 0 ? -errno : 0;
	back = set_uids(real, effective, saved);
	prctl(PR_SET_DUMPABLE, dumpable == 1);
	prctl(PR_SET_PDEATHSIG, pdeath);
	return back ? back : err;
}

pid_t restore_number_here(const struct restore *r, pid_t number)
{
	pid_t outer;

	if (r->tool.pid_ns < 0)
		return number;
	return pid_ns_outer(r->tool.pid_ns, number, &outer) ? -ESRCH : outer;
}

int restore_fown(struct restore *r, int fd, const FownEntry *fown)
{
	struct f_owner_ex owner;
	int err;

	if (!fown || (!fown->pid && !fown->signum))
		return 0;
	if (fown->signum && fcntl(fd, F_SETSIG, fown->signum) < 0)
		return fail(-errno, "signal %u of a descriptor (fcntl F_SETSIG)", fown->signum);
	if (!fown->pid)
		return 0;
	owner.type = fown->pid_type;
	owner.pid = restore_number_of(r, (pid_t)fown->pid);
	if (owner.pid <= 0)
		return fail(-ESRCH, "owner %u of a descriptor (fcntl F_SETOWN_EX): it is not visible here", fown->pid);
	err = set_owner(r, fd, &owner, fown);
	return err ? fail(err, "owner %u of a descriptor (fcntl F_SETOWN_EX)", fown->pid) : 0;
}

ARRAY_OF(record_array, ProtobufCMessage *);

static void record_array_free(struct record_array *list)
{
	array_free(list);
}
#define _cleanup_record_array_ __attribute__((cleanup(record_array_free)))

/* An image without records differs from no image: an empty list is not NULL, either. */
static int keep_list(struct restore *r, const struct record_array *list, struct restore_records *ret_records)
{
	ProtobufCMessage **kept = restore_alloc(r, (list->n + 1) * sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	if (list->n)
		memcpy(kept, list->v, list->n * sizeof(*kept));
	*ret_records = (struct restore_records){ kept, list->n };
	return 0;
}

int restore_read_records(struct restore *r, enum image_type type, unsigned long id, const ProtobufCMessageDescriptor *d,
			 struct restore_records *ret_records)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	_cleanup_record_array_ struct record_array list = { 0 };
	ProtobufCMessage *msg;
	int err = image_open(r->dir, type, id, &img);

	*ret_records = (struct restore_records){ 0 };
	if (err == -ENOENT)
		return 0;
	if (err < 0)
		return fail(err, "%s", image_store_error(r->dir));
	/* Records live as long as the run. */
	image_use_allocator(img, &r->arena.protobuf);
	while ((err = image_read_record(img, d, &msg)) == 1) {
		err = array_add(&list, msg);
		if (err)
			break;
	}
	if (!err)
		err = keep_list(r, &list, ret_records);
	if (err < 0)
		return err == -ENOMEM ? fail(err, "records") : fail(err, "%s", image_error(img));
	return 0;
}

int restore_read_record(struct restore *r, enum image_type type, unsigned long id, const ProtobufCMessageDescriptor *d,
			void *ret_record)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	ProtobufCMessage *msg = NULL;
	int err = image_open(r->dir, type, id, &img);

	if (err < 0)
		return fail(err, "%s", image_store_error(r->dir));
	image_use_allocator(img, &r->arena.protobuf);
	err = image_read_record(img, d, &msg);
	if (err < 0)
		return fail(err, "%s", image_error(img));
	if (!err)
		return fail(-EBADMSG, "%s-%lu: the image is empty", d->name, id);
	*(void **)ret_record = msg;
	return 0;
}

/* A bump allocator in the region, whose size was chosen to fit everything (hand_over.c). */
void *wire_alloc(struct wire_task *wire, size_t size)
{
	uint64_t at = ROUND_UP(wire->alloc_next, 64);

	if (at + size > wire->alloc_end)
		return NULL;
	wire->alloc_next = at + size;
	return (void *)(uintptr_t)at;
}

void restore_set_root(struct restore *r, int fd)
{
	if (r->roots.root >= 0)
		close(r->roots.root);
	r->roots.root = fd;
}
