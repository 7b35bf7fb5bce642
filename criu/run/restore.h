/* SPDX-License-Identifier: GPL-2.0-only */
/* The state of one restore, and services for kinds during a restore. There is no other state. */
#pragma once
#include <sys/types.h>
#include <compel/compel.h>
#include "core.pb-c.h"
#include "fdinfo.pb-c.h"
#include "fs.pb-c.h"
#include "image/store.h"
#include "image/pagemap.h"
#include "image/reader.h"
#include "kernel/clocks.h"
#include "kernel/lsm.h"
#include "mm.pb-c.h"
#include "pie/wire.h"
#include "run/fresh_child.h"
#include "run/helper_process.h"
#include "run/kind.h"
#include "run/options.h"
#include "run/path.h"
#include "run/rights.h"
#include "run/shared.h"
#include "run/stats.h"
#include "task/ns.h"
#include "task/tree.h"
#include "util/arena.h"
#include "util/array.h"
#include "util/hash.h"

struct audience; /* run/opener.h */
struct obstacles;
struct opener;
struct openers;
struct page_source;

/* One file description of the tree (an entry of files.img). */
struct file {
	uint32_t id;
	unsigned index; /* its slot in the shared area */
	const struct fd_kind *kind;
	FileEntry *entry;
	void *state; /* filled by load; read-only after link */
	struct restore_task *owner; /* opens it; NULL: no task has it as a descriptor */
	int owner_fd; /* its final number in the owner's table */
	int inherited; /* set in in_namespaces: a descriptor of the tool, which all tasks inherit and copy; -1: the owner opens it */
	struct file *maker; /* set by link: the file whose open also creates this one; NULL: its own open does */
	struct task_fd *users; /* every descriptor of every table that refers to it */
	size_t nr_users;
	bool loaded; /* the load of its kind has succeeded */
	bool in_flight; /* set by link: it is also in flight in a socket */
	bool is_place; /* a directory, an executable, a mapping of a task */
	const struct audience *audience; /* run/opener.h */
	const struct ns *network; /* set by load: open and finish run in that namespace; NULL: in the task's own */
};

struct task_fd {
	struct restore_task *task;
	int fd;
	bool cloexec;
	struct file *file;
	size_t first_user; /* of this task in file->users, which is grouped by task; set by link */
};

struct restore_thread {
	struct thread id;
	CoreEntry *core;
	struct compel_thread_state cpu;
	bool early; /* set by link: it must exist when files are opened */
	int timed_call; /* number of the call to continue for core's call_left_ns, if EINTR (in @cpu) can be avoided */
};

struct restore_task {
	struct task t; /* first */
	CoreEntry *core; /* of the leader */
	struct ns *ns[NS_TYPES]; /* NULL: it is dead, or a helper: not changed after fork */
	MmEntry *mm; /* NULL: it shares another task's memory */
	struct restore_task *mm_of; /* owner of its memory, usually itself; NULL: it is dead, or a helper */
	FsEntry *fs;
	struct PidNsEntry *init_of; /* state of the pid namespace that it is the init of; NULL: unknown */
	const struct NestedPidsEntry
		*nested; /* its record, in a nested pid namespace; NULL: it is in that of the root */
	struct restore_thread *threads; /* [0] is the leader */
	size_t nr_threads;
	struct task_fd *fds; /* sorted by number; of the first task of a files id */
	size_t nr_fds;
	size_t nr_runs; /* of its page map */
	struct pagemap *pagemap; /* NULL: it has parents, and is read again */
	/* How it is created (restore/link.c). */
	struct restore_task *creator; /* the task that forks it; NULL: the tool does */
	struct restore_task *forks, *next_forked; /* the tasks that it forks, in tree order; next of its creator's */
	bool adopted; /* forked by a process that exits at once: its parent is the init of its pid namespace, or a subreaper */
	bool adopts; /* it is a subreaper from the start (PR_SET_CHILD_SUBREAPER), for such tasks */
	bool early; /* forked before its creator starts its own session or group */
	bool as_sibling; /* forked with CLONE_PARENT: its parent is the creator's parent */
	bool helper; /* replaces a dead session or group leader until the members exist */
	bool leader_ends; /* its first thread had exited: it creates everything, and exits before the program continues */
	bool leader_ended; /* it has exited */
	bool leads_for_others; /* leads a group that it is not in itself: it leaves when the members exist */
	pid_t birth_sid; /* session leader: the session it must be forked in; 0: any */
	pid_t join_pgid; /* group to join when all tasks exist; 0: its own, or inherited */
	/* In a nested pid namespace (restore/nested.h): */
	bool starts_pid_ns; /* it is the first process of its own */
	bool enters_pid_ns; /* its creator is in one around it: its first process must exist */
	bool in_group_of_creator; /* its group is not visible to it: its creator is in it when it is forked */
	bool put_in_group; /* ... or puts it there */
	struct premap *memory; /* plan of module memory for it */
	const struct audience *audience; /* run/opener.h; NULL: it has all of our rights */
	bool files_owner, fs_owner, mm_owner, sighand_owner;
	bool files_shared; /* with another task */
	struct compel_finish *finish; /* while the tool takes the restorer out of it (restore/commit.c) */
	bool drop_sigchld; /* its stopped children have sent it SIGCHLD again (restore/commit.c) */
};

/* A file of @self that was created with another one. */
struct provided {
	struct file *file;
	int fd;
};
ARRAY_OF(provided_array, struct provided);

/*
 * The content of the images, checked and linked by load and link. Read-only from then on: every task has a copy of it.
 */
struct restore_plan {
	uint32_t own_ns_ids[NS_TYPES]; /* ids of the dumper's own namespaces; 0: not in the images */
	/* Of the CPU of the dump, if that was in another boot, or on another machine. */
	const uint32_t *cpu_features;
	size_t nr_cpu_features;
	uint32_t root_cg_set; /* the dumper's own cgroups; 0: not in the images */
	enum lsm lsm; /* whose labels are in the images */
	struct ns_set namespaces; /* that tasks are in */
	struct tree tree;
	struct file *files;
	size_t nr_files;
	struct hash file_by_id; /* id -> struct file */
	struct hash task_by_pid; /* pid -> struct restore_task */
	struct hash tids; /* every thread id of the images -> pid of its process */
	struct hash
		inner_numbers; /* pids, tids, pgids, sids that are visible in nested pid namespaces -> struct inner_numbers */
	struct hash id_owner; /* object of task_ids -> the task that creates it */
	struct hash segments_wanted; /* segment_key() -> MAP_HUGETLB and page size; also files that map a segment */
	struct hash segment_sizes; /* segment_key() -> bytes, if known and larger than what is mapped */
	struct hash segments_checked; /* shmid: shmem_check() */
	uint64_t private_pages, shared_pages; /* at least: of the largest task; of all segments. Without hugetlbfs */
	/* Of the hierarchy that limits memory: the group that all tasks are in, or below. NULL: that of the tool. */
	const char *memory_group;
	bool memory_group_exact; /* all are in it, none below */
	uint64_t memory_beside; /* bytes for buffers of threads that decompress pages, in all processes together */
	bool forks_wait; /* for what other tasks do: restore/nested.h */
	bool all_born_first; /* set by link: no descriptor may be opened before all_born (run/kind.h) */
	size_t nr_helpers;
	pid_t last_spare_tid, nr_spare_tids; /* run/spare_tid.h */
	struct list helpers; /* restore_task.t.in_tree */
	/* Addresses that are free in all tasks and in the tool, far from what is mapped: for the restorer. Empty: there are none. */
	struct wire_range room;
	struct openers *openers; /* run/opener.c */
	void *kind_data[KIND_ROWS]; /* of restore_kind_data() */
	struct fresh_child fresh_child; /* initial state of tasks */
};

/* State of the tool itself, not used by the processes that it forks. */
struct restore_tool {
	uint64_t own_limits[PARASITE_NR_RLIMITS][2]; /* they are raised while it runs (run/limits.h) */
	uint64_t limit_reported[PARASITE_NR_RLIMITS]; /* the last hard limit that was reported as lower now */
	struct sysv_records *sysv_records; /* memory/sysv.c: of the tool's IPC namespace; NULL: none */
	struct hash sysv_made; /* SysV segments that this restore created -> address in the tool; 0: not attached */
	pid_t own_sid, own_pgid; /* replacement for a session or group outside the tree (--shell-job) */
	pid_t root_pid; /* of the restored root, once it exists: in the tool's pid namespace */
	int pid_ns; /* of the tree; -1: it is in ours */
	struct rights rights;
	/* Namespaces of the tree other than ours, in the order in which they are entered. */
	const struct ns *inside[NS_TYPES];
	size_t nr_inside;
	uint64_t began; /* stats_now() */
	struct sibling *sibling; /* that forks the root (restore/sibling.c); NULL: it is not needed */
	int maker; /* in a task that was forked by a process that exits at once (restore/fork.c): pidfd of that; -1: in others */
	struct hash ptys; /* run/pty.c: index -> master */
	bool announces_network; /* when the tree is complete, its network-unlock */
	bool pidfile_written;
	struct helper_process pidfile_watcher; /* restore/pidfile.c */
	int pidfile_hold; /* closed when the tool exits */
	struct helper_process outside; /* run/outside.h */
	/* restore/turns.c: */
	unsigned turn_tries; /* to create the thread whose turn it is */
	bool moved_last_pid; /* in pid namespaces of the tree */
	uint64_t last_pid_was, last_pid_set; /* in the tool's, meanwhile; 0: not changed */
	struct untrusted *untrusted; /* run/untrusted.c; NULL without --untrusted-images */
};

/* A process that files are taken from. */
struct files_holder {
	const struct restore_task *task; /* the last task that it took one for; NULL: none */
	pid_t pid;
	int pidfd; /* in that task's table */
};

/* The state of this process: each task has its own from fork on, and so has the tool. */
struct restore_process {
	struct restore_task *task; /* that this process becomes; NULL in the tool itself */
	struct wire_task *wire; /* created early for threads that must exist early; otherwise NULL */
	struct page_source *pages; /* of this task, from memory_prepare() on */
	struct premap *premap; /* memory prepared for this task and those that it forks (memory/premap.c) */
	struct hash mapped_files; /* file and access -> descriptor, its own or inherited (memory/mapped_files.c) */
	struct vm_peer *vm_peers; /* other tasks that share this process's memory (restore/vm_peers.h); NULL: none */
	int uffd; /* of this process; -1: none of its pages are lazy (memory/lazy.h) */
	uint64_t *stack_pages; /* of its threads, sorted: these are never lazy */
	size_t nr_stack_pages;
	struct files_holder files_holder; /* restore/open.c */
	struct provided_array provided; /* files to be moved to their final numbers (restore/open.c) */
	const struct ns *network; /* run/network.c: where it acts; NULL: where it was born */
	const struct opener *opened_as; /* the rights that this thread has assumed; NULL: our own */
	const struct audience *opening_for; /* while @opening: the audience of the file that is being opened */
	bool makes_root_for_tool; /* it is a child of the tool that only creates the root (restore/fork.c) */
	bool in_namespaces; /* it has entered those of the root, before it was forked (restore/namespaces.c) */
	bool only_receives; /* files: it has reached STAGE_OPENED (restore/open.c) */
	bool has_async; /* it has opened files with O_ASYNC (restore/open.c) */
	bool opening, opening_proven; /* ... and whether their own permission to open it is not sufficient */
	int death_signal, dumpable; /* while rights are assumed: to be set again */
};

/* --lazy-pages (restore/lazy.c). Inherited by tasks. */
struct restore_lazy {
	int sock; /* to the daemon that supplies the pages; -1: without --lazy-pages, and when the tree is complete */
	int device; /* /dev/userfaultfd; -1: the system call is used */
	uint64_t features; /* for UFFDIO_API */
	bool own; /* it is a process of ours */
	bool inherits; /* it supplies pages of parent images, too */
};

struct restore {
	const struct options *opts;
	struct obstacles *check; /* run/obstacles.h; NULL: it is no check, but a restore */
	struct rights rights; /* of tasks, until they have their own credentials */
	struct image_store *dir;
	struct arena arena;
	struct run_stats stats;
	struct restore_plan plan;
	struct restore_tool tool;
	struct restore_process process;
	/* State of every process of a restore. */
	struct shared *shared; /* one mapping that all of them see */
	struct hash segment_fds; /* segment_key() -> descriptor of a shared anonymous or SysV segment */
	int service_base; /* our own descriptors are at or above; all below belong to the task */
	bool fd_limit_raised; /* for descriptors of our own */
	struct path_roots roots; /* roots for paths of the tree: --root */
	struct hash roots_by_mount; /* roots.by_mount, if the tree has several mount namespaces */
	struct restore_lazy lazy;
	int outside_fd; /* run/outside.h: for requests; -1: none */
};

/* SysV segments have separate ids. */
static inline uint64_t segment_key(uint32_t shmid, bool sysv)
{
	return shmid | (uint64_t)sysv << 32;
}

static inline struct restore_task *restore_task_of(struct task *t)
{
	return container_of(t, struct restore_task, t);
}
/* The first of its threads that continue. */
static inline struct restore_thread *restore_first_thread(const struct restore_task *rt)
{
	return &rt->threads[rt->leader_ends];
}
/* Does it share another task's memory (CLONE_VM)? */
static inline bool restore_is_vm_peer(const struct restore_task *rt)
{
	return rt->mm_of && rt->mm_of != rt;
}
#define restore_for_each_task(rt, restore)                                                    \
	for (struct task *_t = list_first(&(restore)->plan.tree.tasks, struct task, in_tree); \
	     &_t->in_tree != &(restore)->plan.tree.tasks && ((rt) = restore_task_of(_t), 1);  \
	     _t = list_entry(_t->in_tree.next, struct task, in_tree))

/* Children before parents. */
#define restore_for_each_task_upwards(rt, restore)                                           \
	for (struct task *_t = list_last(&(restore)->plan.tree.tasks, struct task, in_tree); \
	     &_t->in_tree != &(restore)->plan.tree.tasks && ((rt) = restore_task_of(_t), 1); \
	     _t = list_entry(_t->in_tree.prev, struct task, in_tree))

/*
 * The slot for the data of @kind (a row of any table) during a restore; initially NULL. Private to that kind's files.
 */
static inline void **restore_kind_data(struct restore *r, const void *kind)
{
	return &r->plan.kind_data[kind_row(kind)];
}
void *restore_alloc(struct restore *r, size_t size);
/* The file with this id, or NULL. @who names the record that refers to it in the error that is logged. */
struct file *restore_file(struct restore *r, uint32_t id, const char *who);
/*
 * In any task: a new descriptor for a file (O_CLOEXEC, above service_base), opened separately by its kind: for what is
 * not a shared description (cwd, root, exe, mappings, targets by path).
 */
int restore_open_file(struct restore *r, struct file *file);
/* The same, also for tasks that do not exist yet: memory that others inherit. */
int restore_open_file_for_all(struct restore *r, struct file *file);
/*
 * The same, but only if it is certainly the file of the dump: permission to open it is not sufficient (a root
 * directory).
 */
int restore_open_file_proven(struct restore *r, struct file *file);
/* Calls the open of the file's kind for the audience @to. Assumes their rights as needed, and restores our own. */
int restore_call_open(struct restore *r, struct file *file, const struct audience *to);
/* The same for finish, if the kind has one: @fd is the file's descriptor. */
int restore_call_finish(struct restore *r, struct file *file, int fd);
/*
 * In a kind's open: @fd belongs to @other, which was created with the file that is being opened. Takes ownership of
 * @fd.
 */
int restore_provide(struct restore *r, struct file *other, int fd);
/*
 * In a kind's finish: a descriptor of @file that is usable in this task now; *ret_borrowed: it is the task's own,
 * otherwise the caller must close it.
 */
int restore_borrow_fd(struct restore *r, struct file *file, bool *ret_borrowed);
/* In a task: a copy of a descriptor of another task of the tree; a negative errno, not logged. pidfd_getfd(2) */
int restore_getfd(const struct restore *r, int pidfd, int number);
/* In the tool, once every task has its descriptors: a copy of a file that a task has; closed by the caller. */
int restore_copy_fd(struct restore *r, const struct file *file);
/*
 * In the tool, once every task waits in the restorer: prepares for injecting system calls into this one. @ret_scratch:
 * a page of memory of the task for arguments and results. End with compel_cure(). Not logged.
 */
int restore_enter(struct restore *r, const struct restore_task *rt, struct compel_ctl **ret_ctl, uint64_t *ret_scratch);
/* Sets owner and signal of SIGIO, and status flags that open does not set. */
int restore_fown(struct restore *r, int fd, const FownEntry *fown);
/* In the tool: the pid, in its own namespace, of the process or thread with this pid in the tree; -ESRCH: not found. */
pid_t restore_number_here(const struct restore *r, pid_t number);
/* This pid, tid, pgid or sid of the images in a nested pid namespace (NULL: that of the root); 0: it is not visible there. */
pid_t restore_number_in(const struct restore *r, const struct ns *ns, pid_t number);
/* As @task sees it, in its own pid namespace. */
pid_t restore_number_seen(const struct restore *r, const struct restore_task *task, pid_t number);
/* The same in this process: a task, or the tool (restore_number_here). */
pid_t restore_number_of(const struct restore *r, pid_t number);
/*
 * A pidfd of the process or thread with this pid in the tree, which exists: in the tool, or in a task, whether that sees it or not. A
 * negative errno is not logged. @flags: of pidfd_open(2)
 */
int restore_open_process(const struct restore *r, pid_t number, unsigned flags);
struct restore_task *restore_find_task(struct restore *r, pid_t pid);
/* The thread with this tid in the images, other than the first of a process; NULL: not found. */
struct restore_thread *restore_find_thread(struct restore *r, pid_t tid);
struct restore_records {
	ProtobufCMessage **v; /* NULL: no such image */
	size_t n;
};
/* Reads an image with records of one type; they live as long as the run. Errors are logged. */
int restore_read_records(struct restore *r, enum image_type type, unsigned long id, const ProtobufCMessageDescriptor *d,
			 struct restore_records *ret_records);
/* The single record of an image, which must exist; it lives as long as the run. Errors are logged. */
int restore_read_record(struct restore *r, enum image_type type, unsigned long id, const ProtobufCMessageDescriptor *d,
			void *ret_record);
/* In the tool: paths of the tree begin at this directory, which is not closed, instead of the one of --root. */
void restore_set_root(struct restore *r, int fd);
/* Memory in the region that remains mapped with the restorer in the final task (for pointers in wire structs). */
void *wire_alloc(struct wire_task *wire, size_t size);
