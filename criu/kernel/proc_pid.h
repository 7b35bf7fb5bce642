/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /proc/PID: proc_pid_*(5). A struct proc keeps the directory of one process (or thread) open: when the process has
 * exited, every function returns -ESRCH or -ENOENT, even if the pid has been reused. Functions return 0 or a negative
 * errno; malformed text is -EBADMSG; a file that this kernel does not have is -ENOENT. Each X_parse parses the text
 * itself.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "util/array.h"
#include "util/str.h"

struct proc {
	pid_t pid;
	int dir;
};
#define PROC_CLOSED ((struct proc){ 0, -1 })

int proc_open(pid_t pid, struct proc *ret_p);
/* This process, whatever its pid in the pid namespace of /proc. */
int proc_open_self(struct proc *ret_p);
/* /proc/PID/task/TID */
int proc_open_thread(const struct proc *p, pid_t tid, struct proc *ret_thread);
void proc_close(struct proc *p);
#define _cleanup_proc_ __attribute__((cleanup(proc_close)))

ARRAY_OF(pid_array, pid_t);
ARRAY_OF(int_array, int);

/* Append all, in ascending order. Children of every thread, including zombies. */
int proc_threads(const struct proc *p, struct pid_array *to);
/* The number of its threads, including those that have exited and have not been reaped yet. */
int proc_nr_threads(const struct proc *p);
int proc_children(const struct proc *p, struct pid_array *to);
/* The same, for these threads of the process. */
int proc_children_of(const struct proc *p, const struct pid_array *tids, struct pid_array *to);
/* Every process of the same procfs, in ascending order. */
int proc_pids(const struct proc *p, struct pid_array *to);
/* Open descriptors, in ascending order. */
int proc_fds(const struct proc *p, struct int_array *to);

/* /proc/PID/stat. Times in clock ticks, sizes in bytes, rss in pages; addresses are 0 without the right to ptrace. */
struct proc_stat {
	pid_t pid, ppid, pgid, sid, tpgid;
	char comm[64];
	char state; /* R S D Z T t X I */
	uint32_t tty_nr; /* ttynr_to_kdev() */
	uint64_t flags; /* PF_* of the kernel */
	uint64_t utime, stime, start_time;
	int64_t priority, nice, threads;
	uint64_t vsize, rss;
	uint64_t start_code, end_code, start_stack;
	int exit_signal, processor;
	uint32_t rt_priority, policy;
	uint64_t start_data, end_data, start_brk;
	uint64_t arg_start, arg_end, env_start, env_end;
	int exit_code; /* as of wait(2) */
};
int proc_stat_read(const struct proc *p, struct proc_stat *ret);
/* Of one thread of the process: /proc/PID/task/TID/stat */
int proc_thread_stat_read(const struct proc *p, pid_t tid, struct proc_stat *ret);
int proc_stat_parse(const char *text, size_t len, struct proc_stat *ret);

/* /proc/PID/status */
#define PROC_NS_LEVELS 33 /* MAX_PID_NS_LEVEL + 1 */
enum { PROC_REAL, PROC_EFFECTIVE, PROC_SAVED, PROC_FS };
ARRAY_OF(gid_array, uint32_t);
struct proc_status {
	char state;
	pid_t tgid, ngid, pid, ppid, tracer;
	uint32_t uid[4], gid[4]; /* as PROC_REAL.. */
	uint32_t fd_size, threads, umask;
	bool has_umask; /* zombies and kernel threads have none */
	struct gid_array groups;
	/* The pid in every pid namespace, ours first. levels 0: not shown by this kernel. */
	unsigned int levels;
	pid_t nspid[PROC_NS_LEVELS], nstgid[PROC_NS_LEVELS], nspgid[PROC_NS_LEVELS], nssid[PROC_NS_LEVELS];
	uint64_t sigq_used, sigq_max;
	uint64_t sig_pending, shared_pending, sig_blocked, sig_ignored, sig_caught; /* bit n-1: signal n */
	uint64_t cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
	uint32_t no_new_privs, seccomp, seccomp_filters;
	uint64_t untag_mask; /* address bits of a pointer (x86: LAM); 0: not shown */
	int kthread, core_dumping, thp_enabled; /* -1: not shown by this kernel */
	uint64_t vm_size_kb, vm_rss_kb, vm_locked_kb; /* 0 without memory of its own (kernel thread, zombie) */
	bool has_mm;
};
int proc_status_read(const struct proc *p, struct proc_status *ret);
int proc_thread_status_read(const struct proc *p, pid_t tid, struct proc_status *ret);
int proc_status_parse(const char *text, size_t len, struct proc_status *ret);
void proc_status_free(struct proc_status *st);
#define _cleanup_proc_status_ __attribute__((cleanup(proc_status_free)))

/* /proc/PID/timers: timer_create(2). Only the task itself can query the times. */
struct proc_timer {
	int id, signal, clock;
	int notify; /* SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD */
	bool to_thread; /* SIGEV_THREAD_ID: @target is a tid */
	pid_t target;
	uint64_t sigval;
};
ARRAY_OF(proc_timers, struct proc_timer);
/* Ascending by id. */
int proc_timers_read(const struct proc *p, struct proc_timers *to);
int proc_timers_parse(const char *text, size_t len, struct proc_timers *to);

/* /proc/PID/cgroup: cgroups(7). Strings point into @text. */
struct proc_cgroup {
	uint32_t hierarchy; /* 0: cgroup 2 */
	char *controllers, *path;
};
struct proc_cgroups {
	struct proc_cgroup *v;
	size_t n, cap;
	char *text;
};
int proc_cgroups_parse(const char *text, size_t len, struct proc_cgroups *ret);
void proc_cgroups_free(struct proc_cgroups *c);

/* /proc/PID/timens_offsets: time_namespaces(7) */
struct proc_timens {
	int64_t mono_sec, mono_nsec, boot_sec, boot_nsec;
};
int proc_timens_read(const struct proc *p, struct proc_timens *ret);
int proc_timens_parse(const char *text, size_t len, struct proc_timens *ret);

/* /proc/PID/ns: namespaces(7) */
enum proc_ns {
	PROC_NS_NET,
	PROC_NS_UTS,
	PROC_NS_IPC,
	PROC_NS_PID,
	PROC_NS_PID_CHILDREN,
	PROC_NS_MNT,
	PROC_NS_USER,
	PROC_NS_CGROUP,
	PROC_NS_TIME,
	PROC_NS_TIME_CHILDREN,
	PROC_NS_COUNT,
};
/* The inode number of the namespace, unique on this machine during its lifetime. */
int proc_ns_ino(const struct proc *p, enum proc_ns ns, uint32_t *ret_ino);
/* A descriptor of the namespace. */
int proc_ns_open(const struct proc *p, enum proc_ns ns);
/* "net", "pid_for_children": the name in /proc/PID/ns. */
const char *proc_ns_name(enum proc_ns ns);
/* Its CLONE_NEW* flag. */
int proc_ns_clone_flag(enum proc_ns ns);

/* Does it execute a 32-bit program? (For a 64-bit tool.) 0, 1, or a negative errno. */
int proc_is_32bit(const struct proc *p);
/* comm of the process or thread, without the newline. */
int proc_comm(const struct proc *p, char ret[16]);
/* The same for any process, for messages: @buf, or "?" if there is none. */
const char *proc_comm_of(pid_t pid, char buf[16]);
/* loginuid (~0: unset), oom_score_adj, coredump_filter, setgroups (1: allowed) */
int proc_loginuid(const struct proc *p, uint32_t *ret_v);
int proc_oom_score_adj(const struct proc *p, int *ret_v);
int proc_coredump_filter(const struct proc *p, uint64_t *ret_v);
int proc_setgroups(const struct proc *p, bool *ret_allowed);
/* The targets of cwd, root, exe, fd/N, map_files/...: the length or a negative errno. */
ssize_t proc_link(const struct proc *p, const char *name, char *ret, size_t size);
/* Descriptors of these (opened through the link, not by its text); @flags of open(2), usually O_PATH. */
int proc_open_file(const struct proc *p, const char *name, int flags);
/* Any text in the directory. */
int proc_text(const struct proc *p, const char *name, struct buf *to);
/*
 * The same for a text that the kernel writes as one record (single_open() and the like, not lists): saves a second
 * read.
 */
int proc_record(const struct proc *p, const char *name, struct buf *to);
/* What is known of an open file: by one statx(2). */
struct file_facts {
	struct stat st;
	uint64_t birth; /* statx_birth() */
	int mnt_id; /* -1: the kernel does not tell */
};
/* Also for files without attributes: the directory "fd" of a process that has exited has no inode number. */
int proc_file_facts(int fd, struct file_facts *ret);
