/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of one dump, and services for kinds during a dump. There is no other state. All functions run in the tool,
 * in its own namespaces.
 */
#pragma once
#include <sys/types.h>
#include <sys/uio.h>
#include <compel/compel.h>
#include "image/store.h"
#include "image/writer.h"
#include "kernel/clocks.h"
#include "kernel/id_map.h"
#include "kernel/kcmp.h"
#include "kernel/lsm.h"
#include "kernel/maps.h"
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"
#include "kmem/mapping_flags.h"
#include "kmem/tasks.h"
#include "kmem/threads.h"
#include "kmem/timed_call.h"
#include "mm.pb-c.h"
#include "pie/wire.h"
#include "util/arena.h"
#include "run/blockers.h"
#include "run/kind.h"
#include "run/options.h"
#include "run/path.h"
#include "run/rights.h"
#include "run/stats.h"
#include "task/ns.h"
#include "task/tree.h"
#include "util/hash.h"

struct dump_thread {
	struct thread id;
	struct compel_stop stop;
	struct compel_snapshot snapshot; /* when it was stopped */
	struct timed_call call; /* the call that it was in and would continue; nr 0: none, or unknown */
	struct compel_thread_state cpu; /* for continuing in another process: for images */
	struct proc_stat stat; /* /proc/PID/task/TID/stat */
	struct proc_status status; /* /proc/PID/task/TID/status; freed by the pipeline */
	struct parasite_thread parasite;
	uint64_t robust_list, robust_list_len;
	const struct kernel_thread *kernel; /* dump/alike_threads.c; NULL: not read */
	uint32_t cgroup_text, cgroup_set; /* kinds/ns/cgroup: its groups, their id in the images; 0: not known */
	struct thread_undo *undo; /* kinds/task/sem_undo/; NULL: it has no undo list, or that of the first thread */
	bool seized;
	bool childless; /* since it was stopped: dump/tree.c */
	bool ended; /* exited, and waited for */
	bool stand_in; /* for a first thread that has exited: id.host_tid is another thread, which is used instead */
};

struct dump_task {
	struct task t; /* first: the list of a tree is of struct task; dump_task_of() converts it */
	struct proc proc;
	int pidfd;
	struct proc_stat stat;
	struct proc_status status;
	struct dump_thread *threads; /* [0] is the leader or its stand-in; none for a zombie */
	size_t nr_threads;
	bool leader_ended; /* others run: t.host_pid is one of them */
	bool all_stopped; /* the last scan found only threads that we have stopped: dump/seize.c */
	bool childless; /* since then: dump/tree.c */
	int deaths_seen; /* dump/threads.c: number of exited children when these threads were last waited for */
	struct maps maps;
	struct vma_flags_array vma_flags; /* parallel to maps */
	struct fd_probe *fds; /* of the first task of each files id; others have none */
	size_t nr_fds;
	struct compel_ctl *ctl; /* while infected */
	struct kernel_task *kernel; /* dump/alike.c; NULL: kernel memory was not read */
	struct dump_task *alike; /* the task whose results it got; NULL: its own */
	struct memory_task *memory; /* memory/dump_memory.h: what only module memory knows of its address space */
	MmEntry *mm;
	struct PidNsEntry *
		init_of; /* kinds/ns/pid_settings.c: state of the pid namespace that it is the init of; NULL: none, or the tool's */
	struct parasite_task *parasite;
	size_t parasite_len;
	struct ns *ns[NS_TYPES]; /* its namespaces; NULL: type not supported by this kernel */
	int64_t asked_at; /* CLOCK_MONOTONIC in nanoseconds, right after the parasite has read the timers */
	bool namespaces_alike; /* the kernel refers to them, and to those of its children, by the same object as for an earlier task */
	bool pid_ns_unshared; /* its next child is to be the init of a new pid namespace: nothing may be forked in it */
	uint32_t
		pid_ns_for_children; /* inode of the pid namespace that its next child is created in; 0: its own. The same applies */
	struct ns *
		time_ns_for_children; /* that its children will be in; NULL: its own. The same applies: its offsets could be set no more */
	const char *label; /* kinds/task/lsm.c: context of SELinux, or profile of AppArmor; NULL: none */
	bool files_owner, fs_owner, mm_owner, sighand_owner; /* the task whose images represent all that share it */
};

/* The name of the process that a dump has in the pid namespace of the tree: dump/beacon.h */
#define DUMP_BEACON_NAME "criu-beacon"

/* The purpose of a dump. Code outside dump/ uses the predicates below, not the mode: there will be more. */
enum dump_mode {
	DUMP_FULL, /* the tree is frozen until its images are complete */
	DUMP_SHORT_FREEZE, /* it runs again once its memory has been copied: --leave-running */
	DUMP_PRE_DUMP, /* memory that is tracked from now on, for a later dump */
	DUMP_CHECK, /* it is not frozen at all: criu check */
	DUMP_REFUSAL, /* it is frozen, and no code can run in a task of it: only blockers are wanted */
};

/* A file that a task refers to by something else than a descriptor: cwd, root, exe, a mapping. */
struct dump_path {
	struct dump_task *task;
	int local; /* our own descriptor of it; O_PATH suffices */
	const char *link; /* its name in /proc */
	unsigned flags; /* of open(2) */
};

struct page_client;

struct dump {
	const struct options *opts;
	struct rights rights; /* of the tool */
	const struct rights
		*inside; /* of tasks in their own user namespace, set by its kind; NULL: those of the tool */
	enum dump_mode mode;
	char run_id[37]; /* a UUID, of this run alone: that of the images */
	const char *phase; /* current phase: dump/phases.c */
	struct image_store *dir;
	struct image_store *record; /* dump/record.h; NULL: none */
	enum lsm lsm; /* kinds/task/lsm.c: whose labels are saved */
	struct hash saved_fs; /* device numbers (kdev_make) of file systems whose content is saved with their mounts */
	struct hash kernel_pipes; /* inodes of pipes that only the kernel writes to, by what is saved (autofs) */
	struct hash shown_pid_ns; /* proc of which others may be mounted in the tree: device number -> struct ns */
	struct path_roots roots; /* roots for paths of the tree */
	struct hash roots_by_mount; /* roots.by_mount, if there is a mount namespace that is not the tool's */
	struct tree tree;
	struct ns_set namespaces; /* that tasks are in, or sockets of the tree */
	struct dump_networks *networks; /* run/network.c; NULL: there was no need */
	bool network_announced; /* scripts and the client have been notified of the network lock */
	struct dump_task *namespaces_like; /* dump/survey.c: the last task whose namespaces were checked */
	/*
	 * Number of pid namespace levels from the tool's to the tree's; 0: the same one. Pids from the kernel are in
	 * the tool's namespace, those in images in the tree's: dump_pid_of(). User ids likewise: dump_uid_of().
	 */
	unsigned pid_level;
	int pid_ns; /* that of the tree, if the root is its init and it is not the tool's; -1: not open */
	struct hash numbers; /* with a pid_level: tids, pgids and sids: ours -> the tree's */
	struct id_map uid_map, gid_map; /* of the user namespace of the root task */
	struct arena arena; /* records and strings that live as long as the run */
	struct blockers blockers;
	struct run_stats stats;
	struct mountinfo mounts; /* of all mount namespaces that tasks are in; those of the root first */
	struct kcmp_set open_files; /* descriptions that have an id */
	struct hash path_ids; /* dev:ino:mount -> id of an entry for a path */
	struct kernel_tasks_reader *kernel_tasks; /* dump/kernel_memory.c; NULL: not opened */
	struct mapping_flags_reader *mapping_flags; /* dump/kernel_memory.c; NULL: smaps is read */
	bool no_alikes; /* kernel memory has contradicted an answer */
	struct dump_task *donors[4]; /* the last tasks that were queried and have nothing special; NULL: none */
	struct memory_dump *memory; /* memory/dump_memory.h: state of module memory */
	struct timed_call_reader
		*timed_calls; /* dump/timed_call.c; NULL: not asked for yet, or unreadable for this reason: */
	int timed_calls_unreadable;
	struct hash fd_ids; /* files id and number -> file id */
	struct hash task_by_pid; /* pid -> struct dump_task */
	uint32_t last_file_id;
	struct image_writer *files_img;
	uint64_t freeze_start; /* stats_now() */
	uint64_t retry_until; /* stats_now(); an attempt that fails earlier is repeated; 0: never */
	unsigned int attempt; /* number of failed ones before */
	uint64_t patience_us; /* how long one process is waited for; 0: as @attempt says */
	uint64_t waiting_since; /* stats_now(): for the process that is being stopped */
	struct pid_array *attached; /* threads seized by earlier attempts that have not stopped; NULL: a check */
	struct page_client **page_client; /* the connection to a page server, which attempts share; NULL: a check */
	bool try_again; /* it failed for a transient reason */
	struct clocks stood; /* the tool's clocks at the start of the survey: the time that the images refer to */
	bool complete; /* the images are committed */
	bool elsewhere; /* a lazy dump whose tree has all of its pages elsewhere, and runs there */
	bool thawed;
	struct {
		const char *kind, *path; /* subject of a blocker, set by the pipeline; NULL: no path */
	} asked;
	struct image_writer *images[IMAGE_TYPES]; /* of dump_shared_image() */
	struct guard *guard; /* run/guard.h; NULL: not started */
	struct freezer *freezer; /* run/freezer.h: the group is, or was, frozen by us; NULL: there is none */
	int signal_fd; /* SIGINT and the like, read by dump_interrupted() */
	uint64_t interrupt_checked; /* stats_now() of the last read */
	void *kind_data[KIND_ROWS]; /* of dump_kind_data() */
	/* The file id of such a path. Set by the pipeline: implemented by the regular kind. */
	int (*path_file_id)(struct dump *, const struct dump_path *, uint32_t *ret_id);
	/*
	 * In save_late: a file id for a description in flight in a socket of @task (SCM_RIGHTS): a task's descriptor,
	 * or saved now, with a probe whose fd is -1. Takes ownership of @local.
	 */
	int (*in_flight_file_id)(struct dump *, struct dump_task *, int local, uint32_t *ret_id);
	/*
	 * Before @task gets a child of ours that it does not know of: starts the process that kills it if we die. An
	 * error: it must not get one.
	 */
	int (*guard_copy)(struct dump *, const struct dump_task *task, pid_t *ret_guard);
	int (*interrupted)(struct dump *); /* by the user, while pages are saved: -EINTR; asked often */
	void (*between_pages)(void *dump); /* while pages are saved of a tree that runs; NULL: nothing to do */
	struct copy_guard *copy_guard; /* dump/copies.c, for that; NULL: not started */
	struct file_pass *file_pass; /* for the pipeline's implementation of that */
	struct fs_helper *fs_helper; /* run/fs_answers.c; NULL until needed */
};

/*
 * Only blockers are wanted, and the tree may run: change nothing, leave nothing behind, copy no content; images are
 * discarded.
 */
static inline bool dump_is_check(const struct dump *dump)
{
	return dump->mode == DUMP_CHECK || dump->mode == DUMP_REFUSAL;
}

/*
 * The tree runs again before everything is written: data that takes long to write is kept in memory until then
 * (save_rest).
 */
static inline bool dump_saves_after_thaw(const struct dump *dump)
{
	return dump->mode == DUMP_SHORT_FREEZE;
}

/* Only pages are saved, and only those that are tracked from now on; the tree runs meanwhile. */
static inline bool dump_is_pre_dump(const struct dump *dump)
{
	return dump->mode == DUMP_PRE_DUMP;
}

static inline struct dump_task *dump_task_of(struct task *t)
{
	return container_of(t, struct dump_task, t);
}
#define dump_for_each_task(dt, dump)                                                  \
	for (struct task *_t = list_first(&(dump)->tree.tasks, struct task, in_tree); \
	     &_t->in_tree != &(dump)->tree.tasks && ((dt) = dump_task_of(_t), 1);     \
	     _t = list_entry(_t->in_tree.next, struct task, in_tree))

/* Children before parents. */
#define dump_for_each_task_upwards(dt, dump)                                         \
	for (struct task *_t = list_last(&(dump)->tree.tasks, struct task, in_tree); \
	     &_t->in_tree != &(dump)->tree.tasks && ((dt) = dump_task_of(_t), 1);    \
	     _t = list_entry(_t->in_tree.prev, struct task, in_tree))

/*
 * The slot for the data that @kind (a row of any table) collects over a dump; initially NULL. Private to that kind's
 * files.
 */
static inline void **dump_kind_data(struct dump *dump, const void *kind)
{
	return &dump->kind_data[kind_row(kind)];
}
/* Zeroed memory that lives as long as the dump; NULL if out of memory. */
void *dump_alloc(struct dump *dump, size_t size);
char *dump_strdup(struct dump *dump, const char *s);
/* a formatted string in the arena */
char *dump_printf(struct dump *dump, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Reports something that cannot be saved. Blockers are collected, so that one run reports all of them; the dump fails
 * after survey (or at the latest before anything is killed). Text: what and where (path, address), and what to do. pid
 * and fd come from the scope.
 */
void dump_blocker(struct dump *dump, const struct dump_task *task, int fd, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * The same for transient states (events that the program is about to read): as long as there is time (--timeout), the
 * tree runs for a moment and the dump starts again.
 */
void dump_transient_blocker(struct dump *dump, const struct dump_task *task, int fd, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Is there time for another attempt, and have fewer than @attempts failed? For states that may be permanent. */
bool dump_may_try_again(const struct dump *dump, unsigned attempts);
/*
 * The same for a step that fails for such a reason: return dump_try_again(dump, -ETIMEDOUT, "..."). Logs the text as an error
 * only if there is no time left.
 */
int dump_try_again(struct dump *dump, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * A descriptor refers to this thread: a blocker if it is not the first one of a process in another user namespace than that of the
 * root, whose threads are created after the descriptors.
 */
void dump_check_thread_referred(struct dump *dump, const struct fd_probe *probe, pid_t host_tid);
/* fcntl owner of a descriptor: F_GETOWN_EX, F_GETSIG, F_GETOWNER_UIDS. Never NULL on success. */
int dump_fown(struct dump *dump, const struct fd_probe *probe, FownEntry **ret_fown);
/* fdinfo of a probe, read on first use; borrowed. */
int fd_probe_info(struct dump *dump, struct fd_probe *probe, struct fdinfo **ret_info);
/*
 * The file id in the images of the descriptor @fd of @task, if that description has been or will be saved; -ENOENT if
 * no task of the tree has it. (epoll targets, descriptors in flight)
 */
int dump_file_id_of(struct dump *dump, struct dump_task *task, int fd, uint32_t *ret_id);
/* A new file id for an entry that is not a descriptor of any task, and writing it to files.img. */
uint32_t dump_new_file_id(struct dump *dump);
int dump_write_file_entry(struct dump *dump, FileEntry *entry);
/* The task of the tree with this pid in the tool's pid namespace; NULL if it is not in the tree. */
struct dump_task *dump_find_task(struct dump *dump, pid_t pid);
/*
 * An image that several kinds write to (pipes-data, tty-info, remap-fpath, ...): opened on first use, closed by the
 * pipeline; records may be followed by raw payload with image_write_raw().
 */
int dump_shared_image(struct dump *dump, enum image_type type, struct image_writer **ret_img);
int dump_close_shared_images(struct dump *dump);
/*
 * Translates a pid, tid, pgid or sid that the kernel reported to us to the one in images; 0: not visible to the tree.
 * Ids returned by system calls of the tree, or in its memory, are the tree's own already.
 */
pid_t dump_pid_of(const struct dump *dump, pid_t pid);
/* The same for users and groups: as seen in the user namespace of the tree. */
uint32_t dump_uid_of(const struct dump *dump, uint32_t uid);
uint32_t dump_gid_of(const struct dump *dump, uint32_t gid);
/*
 * The user namespace in which the content of a namespace is created again, and whose numbers it has in the images: that of its
 * owner; for all mount namespaces that of the first one, in which a restore creates all file systems (kinds/ns/mnt). NULL: the tool's.
 */
const struct ns *dump_creator_of(const struct dump *dump, const struct ns *ns);
/* The same for mounts: -1 if the mount is in the tool's own mount namespace, or unknown. */
int dump_mount_of(const struct dump *dump, int mnt_id);
/*
 * Reports a blocker if the owner of @what, which a restore has to create, is not mapped in the user namespace of the tree: it
 * could not have the same owner.
 */
void dump_check_owner(struct dump *dump, const struct dump_task *task, const char *what, const struct stat *st);
/*
 * Reports a blocker if a restore of @what needs a right that tasks do not have in their own user namespace. @probe: the
 * descriptor, for rights in the network namespace of a socket; NULL: none.
 */
void dump_need_right(struct dump *dump, const struct dump_task *task, const struct fd_probe *probe, enum right right,
		     const char *what);
/* The same for several: bits of enum right. */
void dump_need_rights(struct dump *dump, const struct fd_probe *probe, uint64_t mask, const char *what);
/* Records that the descriptor @fd of @task (and of all that share its table) is file @id. */
int dump_remember_fd(struct dump *dump, const struct dump_task *task, int fd, uint32_t id);
