/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The privileges of this run, queried by name before an operation is tried. Capabilities are read once, when a run
 * begins; kinds query a right where they need it, or name it in their row (fd_kind.restore_rights). An operation may
 * still be denied by a security module, or for an object of an outer user namespace; without the right it is always
 * denied. capabilities(7), user_namespaces(7)
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "run/caps.h"

enum right {
	RIGHT_PTRACE_ANY, /* trace tasks of other users, or with more capabilities: ptrace(2), __ptrace_may_access() */
	RIGHT_SET_PIDS, /* clone3(2) with set_tid: in the user namespace that owns our pid namespace */
	RIGHT_CHANGE_IDS, /* credentials(7): any user and group ids, supplementary groups */
	RIGHT_SET_SECUREBITS,
	RIGHT_NET_ADMIN, /* TCP_REPAIR, nf_tables */
	RIGHT_RAW_SOCKETS, /* packet(7), raw(7) */
	RIGHT_RAISE_LIMITS, /* hard limits above ours: prlimit(2) */
	RIGHT_READ_KERNEL_MEMORY, /* criu/kmem: bpf(2) */
	RIGHT_READ_FILTERS, /* PTRACE_SECCOMP_GET_FILTER */
	RIGHT_MAP_FILES, /* open files in /proc/PID/map_files */
	RIGHT_NAMESPACES, /* setns(2), unshare(2): enter and create namespaces other than user namespaces */
	RIGHT_CHANGE_ROOT, /* chroot(2) */
	RIGHT_ALARM_CLOCKS, /* timerfd_create(2) with CLOCK_*_ALARM */
	RIGHT_HANG_UP, /* TIOCVHANGUP */
	RIGHT_LEASES, /* F_SETLEASE on other users' files: fcntl(2) */
	RIGHT_SCHEDULE, /* real-time policies and priorities, nice values below ours: sched(7), ioprio_set(2) */
	RIGHT_LOW_PORTS, /* bind(2) to ports below net.ipv4.ip_unprivileged_port_start */
	RIGHTS
};

struct rights {
	struct caps caps; /* permitted, effective: of the tool, at the start of a run */
	bool initial_user_ns; /* it is in the initial one */
	bool owns_pid_ns; /* its user namespace, or the initial one, owns its pid namespace */
	bool owns_net_ns; /* ... its network namespace */
};

/* 0 or a negative errno, logged. */
int rights_probe(struct rights *ret);
/*
 * Of processes that enter a new user namespace: all capabilities there, and none outside. @owns_pid_ns, @owns_net_ns: it
 * owns the namespaces that they are in.
 */
struct rights rights_in_user_ns(bool owns_pid_ns, bool owns_net_ns);
bool rights_may(const struct rights *rights, enum right right);
/*
 * 0, or -EPERM with the missing right in the log: "WHAT: needs CAP_NET_ADMIN: run criu as root".
 */
int rights_need(const struct rights *rights, enum right right, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for several: bits of enum right. @what is as in rights_need(). */
int rights_need_all(const struct rights *rights, uint64_t mask, const char *what);
/* "trace any task" */
const char *rights_name(enum right right);
/* "needs CAP_SETUID and CAP_SETGID", "needs CAP_SYS_RESOURCE in the initial user namespace" */
const char *rights_text(enum right right);
/*
 * The reason why an operation that needs @right failed with @err: the text of the right if it is missing, otherwise of
 * the error.
 */
const char *rights_reason(const struct rights *rights, enum right right, int err);
