/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this kernel supports with the privileges of this process: each feature is probed once, by trying it. Used by
 * `criu check`, and wherever there is a choice of methods.
 */
#pragma once
#include <stdbool.h>

enum feature {
	FEATURE_MNT_ID,
	FEATURE_AIO_REMAP,
	FEATURE_TIMERFD,
	FEATURE_TIMERFD_TICKS,
	FEATURE_TUN,
	FEATURE_USERNS,
	FEATURE_FDINFO_LOCK,
	FEATURE_SECCOMP_SUSPEND,
	FEATURE_SECCOMP_FILTERS,
	FEATURE_LOGINUID,
	FEATURE_CGROUPNS,
	FEATURE_CGROUP2,
	FEATURE_MEM_DIRTY_TRACK, /* soft-dirty bits */
	FEATURE_PAGEMAP_SCAN,
	FEATURE_UFFD,
	FEATURE_UFFD_NONCOOP,
	FEATURE_UFFD_POISON,
	FEATURE_UFFD_MOVE,
	FEATURE_UFFD_WP_ASYNC,
	FEATURE_SK_NS,
	FEATURE_SK_UNIX_FILE,
	FEATURE_NET_DIAG_RAW,
	FEATURE_CAN_MAP_VDSO,
	FEATURE_CLONE3_SET_TID,
	FEATURE_TIMENS,
	FEATURE_PIDFD_GETFD,
	FEATURE_PIDFD_STORE,
	FEATURE_KCMP,
	FEATURE_KCMP_EPOLL,
	FEATURE_SET_MM_MAP,
	FEATURE_TIMER_IDS, /* prctl(2) PR_TIMER_CREATE_RESTORE_IDS */
	FEATURE_RSEQ_CONF,
	FEATURE_CLOSE_RANGE,
	FEATURE_GUARD_PAGES,
	FEATURE_MEMFD_SECRET,
	FEATURE_MAP_FILES,
	FEATURE_OPENAT2,
	FEATURE_MOVE_MOUNT_SET_GROUP,
	FEATURE_IPV6_FREEBIND,
	FEATURE_TUN_NS,
	FEATURE_NS_PID,
	FEATURE_SOCKOPT_BUF_LOCK,
	FEATURE_MEMFD_HUGETLB,
	FEATURE_TCP_HALF_CLOSED,
	FEATURE_NETWORK_LOCK_IPTABLES,
	FEATURE_NETWORK_LOCK_NFTABLES,
	/* Names of CRIU that are not used here yet. */
	FEATURE_AUTOFS,
	FEATURE_COMPAT_CR,
	FEATURE_NSID,
	FEATURE_LINK_NSID,
	FEATURE_EXTERNAL_NET_NS,
	FEATURE_APPARMOR_STACKING,
	FEATURE_NFTABLES,
	FEATURE_HAS_IPT_LEGACY,
	FEATURE_NEWIFINDEX,
	FEATURE_OVERLAYFS_MAPS,
	FEATURE_BREAKPOINTS,
	FEATURE_COUNT,
};

enum feature_need {
	NEED_ALWAYS, /* a plain `criu check` fails without it */
	NEED_EXTRA, /* `--extra`: some programs cannot be saved without it */
	NEED_OPTIONAL, /* `--all`: something is slower or not supported without it */
};

struct feature_info {
	const char *name; /* for `criu check --feature` */
	const char *text; /* what it is for, one line */
	enum feature_need need;
	/* 1: supported; 0: not supported; negative errno: the probe failed. NULL: not implemented. */
	int (*probe)(void);
};

const struct feature_info *feature_info(enum feature f);
/* 0 and the feature of that name, or -ENOENT. */
int feature_by_name(const char *name, enum feature *ret_f);
/* 1 or 0; -ENOTSUP: not implemented; another negative errno: the probe failed. Some probes fork. */
int feature_probe(enum feature f);
/* True if feature_probe() returns 1. */
bool feature_has(enum feature f);
