// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose limit (RLIMIT_MSGQUEUE) a POSIX message queue counts against: the real user of the process that created it, which no
 * system call reports, and which neither the owner of the queue nor that of its name need be. Read from kernel memory. The user
 * is one of the user namespace of that process, so a restore creates the queue there.
 */
#include <errno.h>
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "internal.h"
#include "kmem/mqueue.h"
#include "run/dump.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define FREED_STEP_US 1000
#define FREED_TRIES 3000

/* ---- dump ---- */

static const struct ns *find_user_ns(const struct dump *dump, uint64_t inode)
{
	const struct ns *ns;

	ns_for_each(ns, &dump->namespaces, NS_USER)
		if (ns->ino == inode && !ns->own)
			return ns;
	return NULL;
}

static bool is_own_user_ns(uint64_t inode)
{
	struct stat st;

	return fstatat(proc_root(), "self/ns/user", &st, 0) < 0 ? errno == ENOENT : st.st_ino == inode;
}

static int record_charge(struct dump *dump, const struct mqueue_charge *charge, MqueueCharge **ret)
{
	const struct ns *ns = find_user_ns(dump, charge->user_ns);
	MqueueCharge *record;

	if (!ns && !is_own_user_ns(charge->user_ns)) {
		log_warn(
			"it counts against the limit of user %u of a user namespace that is not in the tree (RLIMIT_MSGQUEUE): a restore charges it to its owner",
			charge->uid);
		return 0;
	}
	record = dump_alloc(dump, sizeof(*record));
	if (!record)
		return fail(-ENOMEM, "message queues");
	mqueue_charge__init(record);
	record->uid = ns && ns->uids ? id_map_inner(ns->uids, charge->uid) : charge->uid;
	record->has_user_ns = ns != NULL;
	record->user_ns = ns ? ns->id : 0;
	*ret = record;
	return 0;
}

int mqueue_save_charge(struct dump *dump, int fd, const char *name, MqueueCharge **ret)
{
	struct mqueue_dump *data = NULL;
	struct mqueue_charge charge;
	int err = dump_is_check(dump) ? 1 : mqueue_dump_reader(dump, &data);

	if (err)
		return err < 0 ? err : 0;
	err = mqueue_charge_read(data->reader, fd, &charge);
	LOG_SCOPE("message queue /%s", name);
	if (err == -EOPNOTSUPP) {
		log_info("this kernel does not show whose limit it counts against: that of its owner");
		return 0;
	}
	return err ? fail(err, "read whose limit it counts against") : record_charge(dump, &charge, ret);
}

/* ---- restore ---- */

struct creation {
	const struct mqueue_properties *queue;
	uid_t uid;
	int fd;
};

static int try_create(const struct creation *c)
{
	const int flags = O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK | O_CLOEXEC;
	struct mq_attr attr = { .mq_maxmsg = (long)c->queue->maxmsg, .mq_msgsize = (long)c->queue->msgsize };
	int fd = (int)syscall(SYS_mq_open, c->queue->name, flags, 0600, &attr);

	return fd < 0 ? -errno : fd;
}

/* Queues of an IPC namespace that has ended are freed by a worker (ipc/namespace.c), and count until then. */
static int create(const struct creation *c)
{
	int fd = try_create(c);

	for (int tries = 0; fd == -EMFILE && tries < FREED_TRIES; tries++) {
		usleep(FREED_STEP_US); /* style: no event reports the end of the worker */
		fd = try_create(c);
	}
	return fd;
}

/*
 * In a process of its own, as its limits are its own then. Effective ids and capabilities remain ours: only the real user
 * counts. The user can signal that process, but neither trace it nor change its limits.
 */
static int create_as(void *arg)
{
	struct creation *c = arg;

	/* Without CAP_SYS_RESOURCE: our hard limit, which the soft one is at. */
	setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	if (c->uid != getuid() && syscall(SYS_setresuid, c->uid, -1, -1) < 0)
		log_warn("message queue /%s counts against the limit of user %u, not of user %u: %s", c->queue->name,
			 getuid(), c->uid, errno == EPERM ? "needs CAP_SETUID" : strerror(errno));
	c->fd = create(c);
	return 0;
}

/* The user namespace that this function is called in; NULL: the tool's. @owned: a namespace that is being filled. */
static const struct ns *user_ns_here(const struct restore *r, const struct ns *owned)
{
	if (owned)
		return owned->owner;
	for (size_t i = 0; i < r->tool.nr_inside; i++)
		if (r->tool.inside[i]->type == NS_USER)
			return r->tool.inside[i];
	return NULL;
}

static const struct ns *user_ns_with(const struct restore *r, uint32_t id)
{
	const struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_USER)
		if (ns->id == id)
			return ns->own ? NULL : ns;
	return NULL;
}

int mqueue_check_charge(const struct restore *r, const MqueueCharge *charge)
{
	return !charge || !charge->has_user_ns || user_ns_with(r, charge->user_ns) ? 0 : -EBADMSG;
}

int mqueue_create_charged(const struct restore *r, const struct ns *owned, const struct mqueue_properties *queue)
{
	const MqueueCharge *charge = queue->charge;
	const struct ns *here = user_ns_here(r, owned),
			*in = charge && charge->has_user_ns ? user_ns_with(r, charge->user_ns) : NULL;
	struct creation c = { .queue = queue, .uid = charge ? charge->uid : queue->uid, .fd = -EIO };
	int err;

	if (charge && in != here && !in) {
		log_warn(
			"message queue /%s counted against the limit of user %u outside of the user namespace: now against its owner's, user %u",
			queue->name, charge->uid, queue->uid);
		c.uid = queue->uid;
		in = here;
	}
	err = restore_run_in(&in, in != here, 0, create_as, &c);
	return err ? err : c.fd;
}
