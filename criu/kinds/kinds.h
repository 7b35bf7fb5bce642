/* SPDX-License-Identifier: GPL-2.0-only */
/* All kinds: table.c defines their order. */
#pragma once
#include <stdbool.h>
#include "fs.pb-c.h"
#include "mqueue.pb-c.h"
#include "mnt.pb-c.h"
#include "run/kind.h"

struct clocks;
struct id_map;

/* descriptors */
extern const struct fd_kind regular_kind, pipe_kind, fifo_kind, memfd_kind;
extern const struct fd_kind tty_kind, eventfd_kind, eventpoll_kind, timerfd_kind, signalfd_kind, inotify_kind,
	pidfd_kind, io_uring_kind;
extern const struct fd_kind unix_kind;
extern const struct fd_kind fanotify_kind, ns_kind, tun_kind, bpfmap_kind, mqueue_kind;
extern const struct fd_kind inet_kind, netlink_kind, packet_kind, unsupported_kind;

/* tasks */
extern const struct task_kind cpu_kind, creds_kind, signals_kind, timers_kind, limits_kind, sched_kind, attributes_kind;
extern const struct task_kind terminal_kind; /* kinds/fd/tty: controlling terminal, foreground group */
extern const struct task_kind keyrings_kind, autogroup_kind, sem_undo_kind, landlock_kind, apart_kind, lsm_kind,
	cgroup_kind; /* kinds/ns/cgroup */
extern const struct task_kind robust_kind, rseq_kind, seccomp_kind, call_restart_kind, timed_call_kind, fs_kind;
/* runs; segments_run: memory/segments.h, sysv_run: memory/sysv.h */
extern const struct task_kind autofs_kind; /* kinds/ns/mnt/fs_autofs_restore.c */
extern const struct task_kind pid_children_kind, time_children_kind;
extern const struct run_kind cpuinfo_run, seccomp_run, sem_undo_run, locks_run;
extern const struct run_kind time_ns_run, pid_ns_run, user_ns_run, uts_ns_run, ipc_ns_run, net_ns_run, mnt_ns_run;
extern const struct run_kind memfd_run, tty_run, tun_run, pipe_run, inotify_run, fanotify_run, mqueue_run,
	mqueue_notify_run, io_uring_run, unix_run;
extern const struct run_kind regular_run, detached_run, inet_run, packet_run, fs_run, cgroup_run, sched_run;
/* Of network devices of type tun: fd/tun.c, ns/net/tun.c */
struct tun_queues {
	unsigned nr; /* open files of the tree that are attached to it */
	int local; /* a copy of one of their descriptors, of the tool; -1: none */
};
struct tun_queues tun_queues_of(struct dump *dump, const struct ns *ns, const char *device);
/* Restore: a device that is created with its network namespace; @fd: a queue of it, for the file that has claimed it. */
struct net_tun {
	unsigned flags; /* IFF_TUN..., for TUNSETIFF */
	const struct file *claimed_by;
	int fd; /* -1: none; of the tool, inherited by all tasks */
};
/* NULL: the images have none of that name. */
struct net_tun *net_tun_of(const struct ns *ns, const char *device);
/* What the task's clocks show has gone on from here; zeros: it has not. */
struct clocks time_ns_at_dump(const struct restore *r, const struct restore_task *task);
/* Restore: the value that the images have for a semaphore of a namespace that is not the tool's. False: there is none. */
bool ipc_ns_sem_value(const struct ns *ns, int id, unsigned num, unsigned *ret_value);
/* fd/mqueue: a POSIX message queue, of a descriptor or of an IPC namespace. */
struct mqueue_properties {
	const char *name; /* without the slash */
	uint64_t maxmsg, msgsize;
	uint32_t mode, uid, gid;
	MqueueCharge *charge; /* NULL: unknown */
	size_t nr_messages;
	MqueueMessage **messages; /* in the order in which they are received */
};
/*
 * Dump: the messages of the queue that @fd refers to, in which @ret->maxmsg and so on are set already; none during a check.
 * 1: they cannot be read on this kernel, or with these rights, as the log says.
 */
int mqueue_save_messages(struct dump *dump, int fd, struct mqueue_properties *ret);
/* Dump: whose limit it counts against; *ret is unchanged if that cannot be read. */
int mqueue_save_charge(struct dump *dump, int fd, const char *name, MqueueCharge **ret);
/* Restore: is its user namespace in the images? */
int mqueue_check_charge(const struct restore *r, const MqueueCharge *charge);
/* Restore: are these values of an image possible? 0 or -EBADMSG, not logged. */
int mqueue_check_properties(const struct mqueue_properties *queue);
/*
 * Creates it in the IPC namespace of the calling process: in @ns, which is being filled, or, NULL, in in_namespaces.
 * -EEXIST is not logged.
 */
int mqueue_make(const struct restore *r, const struct ns *ns, const struct mqueue_properties *queue);
/*
 * ns/mnt/unattached.c: a file system that no attached mount shows, in memory, so that its content is saved.
 * Dump: can one of this type be?
 */
bool mnt_saves_unattached(const char *fstype);
/* It has no content of its own, but that of a pid namespace, which the caller has compared. */
bool mnt_is_proc(const char *fstype);
struct mount_info;
/* Its record, and, unless this is a check, its content. @info: a mount of all of it; @root: its root directory, to be read. */
int mnt_save_unattached(struct dump *dump, const struct dump_task *task, const struct mount_info *info, int root,
			MntEntry **ret);
/* Restore: checks the record and finds the content. @name: for messages. */
struct unattached;
int mnt_load_unattached(struct restore *r, const MntEntry *entry, const char *name, struct unattached **ret);
/* Creates it, in the namespaces of the first process: a detached mount, or -errno. */
int mnt_make_unattached(struct restore *r, struct unattached *un);
/* ns/mnt/idmap.c: the maps of an idmapped mount. */
struct mnt_idmap {
	UidGidExtent **uids, **gids;
	size_t nr_uids, nr_gids;
};
/* Dump: copies what the kernel has told of one; NULL: out of memory. */
UidGidExtent **mnt_save_id_map(struct dump *dump, const struct id_map *map);
/* Restore: has an image as many lines as the kernel accepts? */
bool mnt_check_idmap(const struct mnt_idmap *maps);
/* In the tool: a user namespace with these maps, above service_base, or -errno, not logged. */
int mnt_make_idmap(struct restore *r, const struct mnt_idmap *maps);
/* Queries of the memfd kind: is @local, with this link in /proc, memory without a path; its entry in files.img. */
bool memfd_is(int local, const char *link);
int memfd_path_id(struct dump *dump, const struct dump_path *path, uint32_t *ret_id);
/*
 * A separate entry in files.img for the path of a descriptor that is more than a path (a FIFO): with its flags,
 * position and owner.
 */
int regular_save_path(struct dump *dump, const struct fd_probe *probe, uint32_t *ret_id);
/* For checks: the file as it is here, O_PATH; -ENOENT: a restore does not find it by its name, or it is of another kind. */
int regular_find_here(struct restore *r, const struct file *file);
