/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of all images: file name, framing, magic, records. One line per image; everything else follows from it. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <protobuf-c/protobuf-c.h>

enum {
	IMAGE_MAGIC_COMMON = 0x54564319, /* every image of version 1.1, then its own magic */
	IMAGE_MAGIC_SERVICE = 0x55105940, /* files that are not part of a dump: statistics, caches */
	IMAGE_NAME_MAX = 64, /* size of the longest file name in the table, with its NUL */
	IMAGE_VERSION_PRE_DUMP = 0, /* pages alone, which cannot be restored */
	IMAGE_VERSION = 2, /* inventory_entry.img_version of version 1.1 */
	IMAGE_VERSION_BLOCKS = 3, /* of version 1.2: page maps may have blocks (compressed pages) or of_process */
};

enum image_framing {
	IMAGE_FRAMED_COMMON, /* common magic, own magic, records */
	IMAGE_FRAMED_SERVICE, /* service magic, own magic, records */
	IMAGE_FRAMED_OWN, /* own magic, records: only the inventory */
	IMAGE_FRAMED_RAW, /* no header, no records */
};

enum image_id_format {
	IMAGE_ID_NO_ID, /* one file of this type per dump */
	IMAGE_ID_DEC,
	IMAGE_ID_HEX,
};

/*
 * X(type, name up to the id, id, name after it, framing, magic, first record, other records) R(type, name up to the id,
 * id, name after it) for raw images
 */
#define IMAGE_TABLE(X, R)                                                                                              \
	X(INVENTORY, "inventory", NO_ID, ".img", OWN, 0x58313116, inventory_entry, inventory_entry)                    \
	X(FDINFO, "fdinfo-", DEC, ".img", COMMON, 0x56213732, fdinfo_entry, fdinfo_entry)                              \
	X(PAGEMAP, "pagemap-", DEC, ".img", COMMON, 0x56084025, pagemap_head, pagemap_entry)                           \
	X(SHMEM_PAGEMAP, "pagemap-shmem-", DEC, ".img", COMMON, 0x56084025, pagemap_head, pagemap_entry)               \
	X(REG_FILES, "reg-files", NO_ID, ".img", COMMON, 0x50363636, reg_file_entry, reg_file_entry)                   \
	X(EXT_FILES, "ext-files", NO_ID, ".img", COMMON, 0x59255641, ext_file_entry, ext_file_entry)                   \
	X(NS_FILES, "ns-files", NO_ID, ".img", COMMON, 0x61394011, ns_file_entry, ns_file_entry)                       \
	X(EVENTFD_FILE, "eventfd", NO_ID, ".img", COMMON, 0x44523722, eventfd_file_entry, eventfd_file_entry)          \
	X(EVENTPOLL_FILE, "eventpoll", NO_ID, ".img", COMMON, 0x45023858, eventpoll_file_entry, eventpoll_file_entry)  \
	X(EVENTPOLL_TFD, "eventpoll-tfd", NO_ID, ".img", COMMON, 0x44433746, eventpoll_tfd_entry, eventpoll_tfd_entry) \
	X(SIGNALFD, "signalfd", NO_ID, ".img", COMMON, 0x57323820, signalfd_entry, signalfd_entry)                     \
	X(INOTIFY_FILE, "inotify", NO_ID, ".img", COMMON, 0x48424431, inotify_file_entry, inotify_file_entry)          \
	X(INOTIFY_WD, "inotify-wd", NO_ID, ".img", COMMON, 0x54562009, inotify_wd_entry, inotify_wd_entry)             \
	X(FANOTIFY_FILE, "fanotify", NO_ID, ".img", COMMON, 0x55096122, fanotify_file_entry, fanotify_file_entry)      \
	X(FANOTIFY_MARK, "fanotify-mark", NO_ID, ".img", COMMON, 0x56506035, fanotify_mark_entry, fanotify_mark_entry) \
	X(CORE, "core-", DEC, ".img", COMMON, 0x55053847, core_entry, core_entry)                                      \
	X(IDS, "ids-", DEC, ".img", COMMON, 0x54432030, task_kobj_ids_entry, task_kobj_ids_entry)                      \
	X(MM, "mm-", DEC, ".img", COMMON, 0x57492820, mm_entry, mm_entry)                                              \
	X(VMAS, "vmas-", DEC, ".img", COMMON, 0x54123737, vma_entry, vma_entry)                                        \
	X(PIPES, "pipes", NO_ID, ".img", COMMON, 0x56513555, pipe_entry, pipe_entry)                                   \
	X(PIPES_DATA, "pipes-data", NO_ID, ".img", COMMON, 0x56453709, pipe_data_entry, pipe_data_entry)               \
	X(FIFO, "fifo", NO_ID, ".img", COMMON, 0x58364939, fifo_entry, fifo_entry)                                     \
	X(FIFO_DATA, "fifo-data", NO_ID, ".img", COMMON, 0x59333054, pipe_data_entry, pipe_data_entry)                 \
	X(PSTREE, "pstree", NO_ID, ".img", COMMON, 0x50273030, pstree_entry, pstree_entry)                             \
	X(SIGACT, "sigacts-", DEC, ".img", COMMON, 0x55344201, sa_entry, sa_entry)                                     \
	X(UNIXSK, "unixsk", NO_ID, ".img", COMMON, 0x54373943, unix_sk_entry, unix_sk_entry)                           \
	X(INETSK, "inetsk", NO_ID, ".img", COMMON, 0x56443851, inet_sk_entry, inet_sk_entry)                           \
	X(PACKETSK, "packetsk", NO_ID, ".img", COMMON, 0x60454618, packet_sock_entry, packet_sock_entry)               \
	X(NETLINK_SK, "netlinksk", NO_ID, ".img", COMMON, 0x58005614, netlink_sk_entry, netlink_sk_entry)              \
	X(SK_QUEUES, "sk-queues", NO_ID, ".img", COMMON, 0x56264026, sk_packet_entry, sk_packet_entry)                 \
	X(ITIMERS, "itimers-", DEC, ".img", COMMON, 0x57464056, itimer_entry, itimer_entry)                            \
	X(POSIX_TIMERS, "posix-timers-", DEC, ".img", COMMON, 0x52603957, posix_timer_entry, posix_timer_entry)        \
	X(CREDS, "creds-", DEC, ".img", COMMON, 0x54023547, creds_entry, creds_entry)                                  \
	X(UTSNS, "utsns-", DEC, ".img", COMMON, 0x54473203, utsns_entry, utsns_entry)                                  \
	X(IPC_VAR, "ipcns-var-", DEC, ".img", COMMON, 0x53115007, ipc_var_entry, ipc_var_entry)                        \
	X(IPCNS_SHM, "ipcns-shm-", DEC, ".img", COMMON, 0x46283044, ipc_shm_entry, ipc_shm_entry)                      \
	X(IPCNS_MSG, "ipcns-msg-", DEC, ".img", COMMON, 0x55453737, ipc_msg_entry, ipc_msg_entry)                      \
	X(IPCNS_SEM, "ipcns-sem-", DEC, ".img", COMMON, 0x59573019, ipc_sem_entry, ipc_sem_entry)                      \
	X(FS, "fs-", DEC, ".img", COMMON, 0x51403912, fs_entry, fs_entry)                                              \
	X(REMAP_FPATH, "remap-fpath", NO_ID, ".img", COMMON, 0x59133954, remap_file_path_entry, remap_file_path_entry) \
	X(GHOST_FILE, "ghost-file-", HEX, ".img", COMMON, 0x52583605, ghost_file_entry, ghost_chunk_entry)             \
	X(MEMFD_INODE, "memfd", NO_ID, ".img", COMMON, 0x48453499, memfd_inode_entry, memfd_inode_entry)               \
	X(TCP_STREAM, "tcp-stream-", HEX, ".img", COMMON, 0x51465506, tcp_stream_entry, tcp_stream_entry)              \
	X(MNTS, "mountpoints-", DEC, ".img", COMMON, 0x55563928, mnt_entry, mnt_entry)                                 \
	X(NETDEV, "netdev-", DEC, ".img", COMMON, 0x57373951, net_device_entry, net_device_entry)                      \
	X(NETNS, "netns-", DEC, ".img", COMMON, 0x55933752, netns_entry, netns_entry)                                  \
	R(IFADDR, "ifaddr-", DEC, ".img")                                                                              \
	R(ROUTE, "route-", DEC, ".img")                                                                                \
	R(ROUTE6, "route6-", DEC, ".img")                                                                              \
	R(RULE, "rule-", DEC, ".img")                                                                                  \
	R(IPTABLES, "iptables-", DEC, ".img")                                                                          \
	R(IP6TABLES, "ip6tables-", DEC, ".img")                                                                        \
	R(NFTABLES, "nftables-", DEC, ".img")                                                                          \
	R(TMPFS_IMG, "tmpfs-", DEC, ".tar.gz.img")                                                                     \
	R(MNT_REMOVED, "mnt-removed-", DEC, ".tar.gz.img")                                                             \
	R(TMPFS_DEV, "tmpfs-dev-", DEC, ".tar.gz.img")                                                                 \
	X(AUTOFS, "autofs-", DEC, ".img", COMMON, 0x49353943, autofs_entry, autofs_entry)                              \
	X(BINFMT_MISC, "binfmt-misc", NO_ID, ".img", COMMON, 0x67343323, binfmt_misc_entry, binfmt_misc_entry)         \
	X(TTY_FILES, "tty", NO_ID, ".img", COMMON, 0x59433025, tty_file_entry, tty_file_entry)                         \
	X(TTY_INFO, "tty-info", NO_ID, ".img", COMMON, 0x59453036, tty_info_entry, tty_info_entry)                     \
	X(TTY_DATA, "tty-data", NO_ID, ".img", COMMON, 0x59413026, tty_data_entry, tty_data_entry)                     \
	X(FILE_LOCKS, "filelocks", NO_ID, ".img", COMMON, 0x54323616, file_lock_entry, file_lock_entry)                \
	X(RLIMIT, "rlimit-", DEC, ".img", COMMON, 0x57113925, rlimit_entry, rlimit_entry)                              \
	R(PAGES, "pages-", DEC, ".img")                                                                                \
	X(SIGNAL, "signal-s-", DEC, ".img", COMMON, 0x59255647, siginfo_entry, siginfo_entry)                          \
	X(PSIGNAL, "signal-p-", DEC, ".img", COMMON, 0x59255647, siginfo_entry, siginfo_entry)                         \
	X(TUNFILE, "tunfile", NO_ID, ".img", COMMON, 0x57143751, tunfile_entry, tunfile_entry)                         \
	X(CGROUP, "cgroup", NO_ID, ".img", COMMON, 0x59383330, cgroup_entry, cgroup_entry)                             \
	X(TIMERFD, "timerfd", NO_ID, ".img", COMMON, 0x50493712, timerfd_entry, timerfd_entry)                         \
	X(CPUINFO, "cpuinfo", NO_ID, ".img", COMMON, 0x61404013, cpuinfo_entry, cpuinfo_entry)                         \
	X(SECCOMP, "seccomp", NO_ID, ".img", COMMON, 0x64413049, seccomp_entry, seccomp_entry)                         \
	X(USERNS, "userns-", DEC, ".img", COMMON, 0x55474906, userns_entry, userns_entry)                              \
	R(NETNF_CT, "netns-ct-", DEC, ".img")                                                                          \
	R(NETNF_EXP, "netns-exp-", DEC, ".img")                                                                        \
	X(FILES, "files", NO_ID, ".img", COMMON, 0x56303138, file_entry, file_entry)                                   \
	X(TIMENS, "timens-", DEC, ".img", COMMON, 0x43114433, timens_entry, timens_entry)                              \
	X(PIDNS, "pidns-", DEC, ".img", COMMON, 0x61157326, pidns_entry, pidns_entry)                                  \
	X(BPFMAP_FILE, "bpfmap-file", NO_ID, ".img", COMMON, 0x57506142, bpfmap_file_entry, bpfmap_file_entry)         \
	X(BPFMAP_DATA, "bpfmap-data", NO_ID, ".img", COMMON, 0x64324033, bpfmap_data_entry, bpfmap_data_entry)         \
	X(APPARMOR, "apparmor", NO_ID, ".img", COMMON, 0x59423047, apparmor_entry, apparmor_entry)                     \
	X(PIDFD, "pidfd", NO_ID, ".img", COMMON, 0x54435556, pidfd_entry, pidfd_entry)                                 \
	X(CHECKSUMS, "checksums", NO_ID, ".img", COMMON, 0x43524333, checksums_entry, checksums_entry)                 \
	X(PAGE_CHECKSUMS, "checksums-pages", NO_ID, ".img", COMMON, 0x43524334, checksums_entry, checksums_entry)      \
	X(SENT_PAGES, "sent-pages-", DEC, ".img", COMMON, 0x43524335, sent_pages_entry, sent_pages_entry)              \
	X(STATS_DUMP, "stats-dump", NO_ID, "", SERVICE, 0x57093306, stats_entry, stats_entry)                          \
	X(STATS_RESTORE, "stats-restore", NO_ID, "", SERVICE, 0x57093306, stats_entry, stats_entry)                    \
	X(IRMAP_CACHE, "irmap-cache", NO_ID, "", SERVICE, 0x57004059, irmap_cache_entry, irmap_cache_entry)

#define IMAGE_ENUM_X(type, ...) IMAGE_##type,
enum image_type {
	IMAGE_TABLE(IMAGE_ENUM_X, IMAGE_ENUM_X) IMAGE_TYPES, /* number of types */
};
#undef IMAGE_ENUM_X

struct image_spec {
	const char *type; /* "CORE" */
	const char *before_id; /* "core-" */
	const char *after_id; /* ".img" */
	enum image_id_format id;
	enum image_framing framing;
	uint32_t magic; /* 0 when raw */
	const ProtobufCMessageDescriptor *first; /* of the first record; NULL when raw */
	const ProtobufCMessageDescriptor *rest; /* of the others */
};

/* NULL if `type` is not in the table. */
const struct image_spec *image_spec(enum image_type type);

/* The file name; `id` is ignored for types without one. -EINVAL: no such type. */
int image_name(enum image_type type, uint64_t id, char ret_name[static IMAGE_NAME_MAX]);

/* The type (and id, or 0) of a file name; -ENOENT if it is not the name of an image. */
int image_parse_name(const char *name, enum image_type *ret_type, uint64_t *ret_id);
