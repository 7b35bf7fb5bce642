// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "features/feature_probes.h"
#include "features/features.h"
#include "util/str.h"

static const struct feature_info table[FEATURE_COUNT] = {
	[FEATURE_MNT_ID] = { "mnt_id", "the mount of an open file", NEED_ALWAYS, probe_mnt_id },
	[FEATURE_AIO_REMAP] = { "aio_remap", "moving the ring of an io_setup(2) context", NEED_EXTRA, probe_aio_remap },
	[FEATURE_TIMERFD] = { "timerfd", "state of timerfd descriptors", NEED_ALWAYS, probe_timerfd },
	[FEATURE_TIMERFD_TICKS] = { "timerfd_ticks", "unread expirations of a timerfd", NEED_EXTRA,
				    probe_timerfd_ticks },
	[FEATURE_TUN] = { "tun", "tun and tap devices", NEED_EXTRA, probe_tun },
	[FEATURE_USERNS] = { "userns", "user namespaces", NEED_EXTRA, probe_userns },
	[FEATURE_FDINFO_LOCK] = { "fdinfo_lock", "locks of an open file in fdinfo", NEED_ALWAYS, probe_fdinfo_lock },
	[FEATURE_SECCOMP_SUSPEND] = { "seccomp_suspend", "saving tasks whose seccomp filters deny our system calls",
				      NEED_EXTRA, probe_seccomp_suspend },
	[FEATURE_SECCOMP_FILTERS] = { "seccomp_filters", "reading seccomp filters", NEED_EXTRA, probe_seccomp_filters },
	[FEATURE_LOGINUID] = { "loginuid", "the audit login uid of a task", NEED_OPTIONAL, probe_loginuid },
	[FEATURE_CGROUPNS] = { "cgroupns", "cgroup namespaces", NEED_EXTRA, probe_cgroupns },
	[FEATURE_CGROUP2] = { "cgroup2", "cgroup version 2", NEED_OPTIONAL, probe_cgroup2 },
	[FEATURE_MEM_DIRTY_TRACK] = { "mem_dirty_track", "tracking written pages", NEED_OPTIONAL, probe_soft_dirty },
	[FEATURE_PAGEMAP_SCAN] = { "pagemap_scan", "the PAGEMAP_SCAN ioctl", NEED_OPTIONAL, probe_pagemap_scan },
	[FEATURE_UFFD] = { "uffd", "userfaultfd, for lazy pages", NEED_OPTIONAL, probe_uffd },
	[FEATURE_UFFD_NONCOOP] = { "uffd-noncoop", "userfaultfd events of fork, remap, unmap", NEED_OPTIONAL,
				   probe_uffd_noncoop },
	[FEATURE_UFFD_POISON] = { "uffd_poison", "making lazy pages that are lost inaccessible", NEED_OPTIONAL,
				  probe_uffd_poison },
	[FEATURE_UFFD_MOVE] = { "uffd_move", "moving pages with UFFDIO_MOVE", NEED_OPTIONAL, probe_uffd_move },
	[FEATURE_UFFD_WP_ASYNC] = { "uffd_wp_async", "tracking written pages with userfaultfd", NEED_OPTIONAL,
				    probe_uffd_wp_async },
	[FEATURE_SK_NS] = { "sk_ns", "the network namespace of a socket", NEED_EXTRA, probe_sk_ns },
	[FEATURE_SK_UNIX_FILE] = { "sk_unix_file", "the file a unix socket is bound to", NEED_EXTRA,
				   probe_sk_unix_file },
	[FEATURE_NET_DIAG_RAW] = { "net_diag_raw", "sock_diag of raw sockets", NEED_EXTRA, probe_net_diag_raw },
	[FEATURE_CAN_MAP_VDSO] = { "can_map_vdso", "mapping the vDSO at a chosen address", NEED_OPTIONAL,
				   probe_can_map_vdso },
	[FEATURE_CLONE3_SET_TID] = { "clone3_set_tid", "creating a task with a given pid", NEED_OPTIONAL,
				     probe_clone3_set_tid },
	[FEATURE_TIMENS] = { "timens", "time namespaces", NEED_EXTRA, probe_timens },
	[FEATURE_PIDFD_GETFD] = { "pidfd_getfd", "duplicating another task's descriptor", NEED_ALWAYS,
				  probe_pidfd_getfd },
	[FEATURE_PIDFD_STORE] = { "pidfd_store",
				  "distinguishing a task from a later one with the same "
				  "pid",
				  NEED_OPTIONAL, probe_pidfd_getfd },
	[FEATURE_KCMP] = { "kcmp", "comparing resources of tasks", NEED_ALWAYS, probe_kcmp },
	[FEATURE_KCMP_EPOLL] = { "kcmp_epoll", "finding the descriptors that an epoll instance watches", NEED_EXTRA,
				 probe_kcmp_epoll },
	[FEATURE_SET_MM_MAP] = { "set_mm_map", "setting the memory layout of a task in one call", NEED_ALWAYS,
				 probe_set_mm_map },
	[FEATURE_TIMER_IDS] = { "timer_cr_ids", "creating a POSIX timer with a given id", NEED_OPTIONAL,
				probe_timer_ids },
	[FEATURE_RSEQ_CONF] = { "get_rseq_conf", "the rseq(2) area of a task", NEED_EXTRA, probe_rseq_conf },
	[FEATURE_CLOSE_RANGE] = { "close_range", "closing many descriptors in one call", NEED_OPTIONAL,
				  probe_close_range },
	[FEATURE_GUARD_PAGES] = { "pagemap_scan_guard_pages", "guard pages of madvise(2)", NEED_OPTIONAL,
				  probe_guard_pages },
	[FEATURE_MEMFD_SECRET] = { "memfd_secret", "secret memory", NEED_OPTIONAL, probe_memfd_secret },
	[FEATURE_MAP_FILES] = { "map_files", "opening mapped files that were deleted", NEED_EXTRA, probe_map_files },
	[FEATURE_OPENAT2] = { "openat2", "opening files below a root", NEED_OPTIONAL, probe_openat2 },
	[FEATURE_MOVE_MOUNT_SET_GROUP] = { "move_mount_set_group", "adding a mount to a peer group", NEED_OPTIONAL,
					   probe_move_mount_set_group },
	[FEATURE_IPV6_FREEBIND] = { "ipv6_freebind", "IPV6_FREEBIND of sockets", NEED_OPTIONAL, probe_ipv6_freebind },
	[FEATURE_TUN_NS] = { "tun_ns", "the network namespace of a tun device", NEED_OPTIONAL, probe_tun_ns },
	[FEATURE_NS_PID] = { "ns_pid", "pids of a task in nested namespaces", NEED_OPTIONAL, probe_ns_pid },
	[FEATURE_SOCKOPT_BUF_LOCK] = { "sockopt_buf_lock", "whether a socket's buffer sizes are locked", NEED_OPTIONAL,
				       probe_sockopt_buf_lock },
	[FEATURE_MEMFD_HUGETLB] = { "memfd_hugetlb", "memfds with huge pages", NEED_OPTIONAL, probe_memfd_hugetlb },
	[FEATURE_TCP_HALF_CLOSED] = { "tcp_half_closed", "half-closed TCP connections", NEED_EXTRA,
				      probe_tcp_half_closed },
	/* nftables is used for both. */
	[FEATURE_NETWORK_LOCK_IPTABLES] = { "network_lock_iptables", "locking the network with --network-lock iptables",
					    NEED_EXTRA, probe_nftables },
	[FEATURE_NETWORK_LOCK_NFTABLES] = { "network_lock_nftables", "locking the network with --network-lock nftables",
					    NEED_EXTRA, probe_nftables },
	[FEATURE_AUTOFS] = { "autofs", "autofs mounts", NEED_OPTIONAL, NULL },
	[FEATURE_COMPAT_CR] = { "compat_cr", "32 bit programs", NEED_OPTIONAL, NULL },
	[FEATURE_NSID] = { "nsid", "ids of network namespaces", NEED_OPTIONAL, NULL },
	[FEATURE_LINK_NSID] = { "link_nsid", "the other namespace of a veth pair", NEED_OPTIONAL, NULL },
	[FEATURE_EXTERNAL_NET_NS] = { "external_net_ns", "external network namespaces", NEED_OPTIONAL, NULL },
	[FEATURE_APPARMOR_STACKING] = { "apparmor_stacking", "stacked AppArmor profiles", NEED_OPTIONAL, NULL },
	[FEATURE_NFTABLES] = { "nftables", "nftables rules of a network namespace", NEED_OPTIONAL, NULL },
	[FEATURE_HAS_IPT_LEGACY] = { "has_ipt_legacy", "legacy iptables", NEED_OPTIONAL, NULL },
	[FEATURE_NEWIFINDEX] = { "newifindex", "moving a link to a given index", NEED_OPTIONAL, NULL },
	[FEATURE_OVERLAYFS_MAPS] = { "overlayfs_maps", "paths of files mapped from overlayfs", NEED_OPTIONAL, NULL },
	[FEATURE_BREAKPOINTS] = { "breakpoints", "hardware breakpoints", NEED_OPTIONAL, NULL },
};

/* Result + 1 of each probe; 0: not probed yet. Errors are not cached: they may be transient. */
static char answers[FEATURE_COUNT];

const struct feature_info *feature_info(enum feature f)
{
	return &table[f];
}

int feature_by_name(const char *name, enum feature *ret_f)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		if (str_eq(table[i].name, name)) {
			*ret_f = i;
			return 0;
		}
	}
	return -ENOENT;
}

int feature_probe(enum feature f)
{
	if (!table[f].probe)
		return -ENOTSUP;
	if (answers[f])
		return answers[f] - 1;
	int answer = table[f].probe();
	if (answer >= 0)
		answers[f] = answer + 1;
	return answer;
}

bool feature_has(enum feature f)
{
	return feature_probe(f) == 1;
}
