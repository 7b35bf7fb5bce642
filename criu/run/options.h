/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The options of a run: one plain value, filled by request/, read-only elsewhere. Strings are owned by the struct, NULL
 * if not given. A descriptor is -1 if not given.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GHOST_LIMIT_DEFAULT (1ull << 20)
#define TMPFS_LIMIT_DEFAULT (64ull << 20)
#define TIMEOUT_SEC_DEFAULT 10
#define COMPRESS_BLOCK_DEFAULT (256u << 10)
#define COMPRESS_BLOCK_MAX (4u << 20)

/* A list of strings; v[n] is NULL, so that exec_cmd can be passed to execvp(). */
struct str_list {
	char **v;
	size_t n;
};

enum file_validation {
	VALIDATE_BUILDID, /* default: build id if the file has one, otherwise its size */
	VALIDATE_FILESIZE,
};

enum network_lock {
	NETWORK_LOCK_IPTABLES,
	NETWORK_LOCK_NFTABLES,
	NETWORK_LOCK_SKIP,
	NETWORK_LOCK_DEFAULT, /* nftables; at restore the method of the dump */
};

enum pre_dump_mode {
	PRE_DUMP_SPLICE, /* default */
	PRE_DUMP_READ,
};

/* Whole pages, and not empty. */
struct memory_range {
	pid_t pid;
	uint64_t start, end;
};

enum image_io_mode {
	IMAGE_IO_WRITEBACK, /* default */
	IMAGE_IO_DIRECT,
};

enum compress_method {
	COMPRESS_NONE,
	COMPRESS_LZ4,
	COMPRESS_ZSTD,
};

enum stream_form {
	STREAM_NONE,
	STREAM_BY_SOCKET, /* of a streamer in the images directory */
	STREAM_BY_STDIO, /* all images through the standard output or input */
};

enum cgroup_mode {
	CGROUP_MODE_DEFAULT, /* not given, or "default": soft */
	CGROUP_MODE_IGNORE,
	CGROUP_MODE_NONE,
	CGROUP_MODE_PROPS,
	CGROUP_MODE_SOFT,
	CGROUP_MODE_FULL,
	CGROUP_MODE_STRICT,
};

/* --cpu-cap: how the CPU must match. Bits of options.cpu_cap. */
enum cpu_cap {
	CPU_CAP_NONE = 0,
	CPU_CAP_FPU = 1, /* the x87/SSE/AVX state of the image must be compatible */
	CPU_CAP_CPU = 2, /* every capability must be the same */
	CPU_CAP_INS = 4, /* the host must have every instruction set in the image */
	CPU_CAP_IMAGE = 8, /* dump: write cpuinfo.img; restore: compare with it */
	CPU_CAP_CHOSEN = 16, /* of the instruction sets, those by which libraries choose functions */
	CPU_CAP_ALL = CPU_CAP_FPU | CPU_CAP_CPU | CPU_CAP_INS,
	CPU_CAP_DEFAULT = CPU_CAP_FPU | CPU_CAP_INS,
};

/* --inherit-fd fd[N]:KEY */
struct inherit_fd {
	char *key; /* "path", "pipe:[ino]", "tty[rdev:dev]", "socket:[ino]" */
	int fd;
};

/* --veth-pair IN=OUT, --tcp-address OLD=NEW and --ext-mount-map KEY:VAL */
struct str_pair {
	char *key, *val;
};

struct progress;
struct notify_outlet;

#define NOTIFY_OUTLETS 2 /* an RPC client, action scripts */

struct options {
	struct str_list given; /* those that were given, "name" or "name=value": recorded in images */

	/* -- target -- */
	pid_t pid; /* -t: root of the tree; 0: not given */

	/* -- directories and files -- */
	char *images_dir; /* -D as given, default "."; for messages */
	int images_dir_fd; /* the open directory, which a run uses: request/open.h */
	char *work_dir; /* -W: log, pidfile, statistics; NULL: the images directory */
	int work_dir_fd; /* the same, open */
	char *root; /* -r: root of the restored tree's file system; NULL: ours */
	char *libdir; /* -L: plugins; NULL: none */
	char *parent_dir; /* --prev-images-dir, relative to the images directory; NULL: no parent */
	char *pidfile; /* --pidfile: root's pid is written there, relative to the work dir */
	char *config_file; /* --config */
	bool no_default_config;

	/* -- log and reports -- */
	char *log_file; /* -o, relative to the work directory; NULL: stderr */
	int log_level; /* -v: 0 silent, 1 errors, 2 warnings (default), 3 info, 4 debug */
	bool log_pid; /* --log-pid: one log per restored task */
	bool display_stats; /* --display-stats: print statistics at the end */
	struct progress *progress; /* run/progress.h; NULL: not shown */

	/* -- what happens to the tree -- */
	bool leave_running; /* -R: dump: keep it running afterwards */
	bool leave_stopped; /* -s: leave every task stopped, as by SIGSTOP */
	bool restore_detached; /* -d: restore: do not wait for the tree */
	bool restore_sibling; /* -S: restore: root is a child of the caller's parent (needs -d) */
	bool strict_limits; /* --strict-limits: restore fails for hard limits that it may not raise */
	struct str_list exec_cmd; /* --exec-cmd -- CMD: executed after restore, as the tree's parent */
	unsigned int timeout_sec; /* --timeout: time limit for freezing; 0: none. Default 10 */
	char *freeze_cgroup; /* --freeze-cgroup: cgroup directory used to freeze the tree */

	/* -- external resources -- */
	bool has_images_user; /* --untrusted-images UID: the images can use no more than this user's rights */
	uid_t images_user;
	/* The caller is this user: scripts, pid file and statistics are that user's, too. Otherwise groups are from passwd(5). */
	bool user_is_caller;
	gid_t images_gid;
	const gid_t *images_groups; /* borrowed */
	size_t nr_images_groups;
	/* The standard descriptors lead to the caller, who passes others at restore: clients of the RPC record them for that. */
	bool client_stdio;
	uint32_t service_inode; /* the socket that a client of the RPC is connected to; 0: none */
	bool orphan_pts_master; /* the RPC client takes the master of a terminal whose master is outside of the tree */
	bool shell_job; /* -j: use the caller's session and terminal */
	struct str_list externals; /* --external TYPE[ID]:KEY, as given */
	struct inherit_fd *inherit; /* --inherit-fd; see inherit_nr */
	size_t inherit_nr;
	bool ext_unix_sk; /* -x: unix peers outside the tree are allowed */
	struct str_list ext_unix_inodes; /* -x=inode,inode: only these (decimal); empty: all */

	/* -- files -- */
	bool file_locks; /* -l: save file locks */
	bool link_remap; /* --link-remap: give an unlinked file that has other links a temporary name */
	uint64_t ghost_limit; /* --ghost-limit, bytes: largest unlinked file that is saved. Default 1 MiB */
	bool tmpfs_files; /* --tmpfs-files: save files on tmpfs */
	uint64_t tmpfs_limit; /* maximum size in bytes. Default 64 MiB */
	bool ghost_fiemap; /* --ghost-fiemap: find holes of unlinked files by FIEMAP */
	bool evasive_devices; /* --evasive-devices: use any path to a device */
	bool skip_events; /* --skip-events: drop unread events of inotify and fanotify */
	bool force_irmap; /* --force-irmap: look for watched inodes by scanning paths */
	struct str_list irmap_scan_paths; /* --irmap-scan-path */
	enum file_validation file_validation; /* --file-validation */
	bool skip_file_rwx_check; /* --skip-file-rwx-check: restore does not compare a file's r/w/x bits */

	/* -- CPU and kernel -- */
	uint32_t cpu_cap; /* --cpu-cap: enum cpu_cap bits. Default fpu, ins */
	bool weak_sysctls; /* --weak-sysctls: missing sysctls are not an error */
	bool allow_uprobes; /* --allow-uprobes: dump tasks that have uprobes */
	bool unprivileged; /* --unprivileged: run with the caller's limited capabilities */
	bool experimental; /* --experimental */

	/* -- memory -- */
	bool pre_dump; /* the command pre-dump */
	bool track_mem; /* --track-mem: track which pages are written from this dump on */
	bool auto_dedup; /* --auto-dedup: punch pages out of the parent once they are superseded or read */
	enum pre_dump_mode pre_dump_mode;
	bool lazy_pages; /* --lazy-pages */
	bool several; /* --restores */
	uint64_t restores; /* --restores: 0: any number */
	enum compress_method compress; /* -c */
	uint32_t compress_block; /* --compress-block: bytes, multiple of a page, at most 4 MiB. Default 256 KiB */
	uint32_t compress_acceleration; /* --compress-acceleration: of LZ4, 1 to 65537. Default 1 */
	bool page_checksums; /* --page-checksums */
	bool share_pages; /* --share-pages: pages that processes share copy-on-write are written once */
	bool skip_dontdump; /* --skip-dontdump: memory that is marked so is not saved */
	struct memory_range *excluded; /* --exclude-memory; sorted by address */
	size_t excluded_nr;
	uint32_t decompress_threads; /* --decompress-threads: of one process; 0: as there are CPUs, for all of them */
	enum image_io_mode image_io_mode; /* --image-io-mode */
	enum stream_form stream; /* --stream */
	int stream_fd; /* STREAM_BY_STDIO: what was the standard output or input (request/open.h), -1: none */

	/* -- pages over the network -- */
	bool page_server; /* --page-server: send pages to a server */
	char *address; /* --address; NULL: any */
	uint16_t port; /* --port; 0: any */
	int ps_socket; /* --ps-socket: connected descriptor, -1: none */
	mode_t socket_mode; /* --socket-mode: of the service's socket. Default 0600 */
	int status_fd; /* --status-fd: '\0' is written there once ready, -1: none */
	bool tls, tls_no_cn_verify;
	char *tls_cacert, *tls_cacrl, *tls_cert, *tls_key;

	/* -- network -- */
	bool tcp_established; /* --tcp-established: save and restore connections */
	bool tcp_close; /* --tcp-close: restore connections as closed */
	bool skip_in_flight; /* --skip-in-flight: drop connections not yet accepted */
	enum network_lock network_lock;
	bool empty_netns; /* --empty-ns net */
	struct str_pair *tcp_addresses; /* --tcp-address OLD=NEW: numeric addresses, each two of one family */
	size_t tcp_addresses_nr;
	struct str_pair *veth_pairs; /* --veth-pair IN=OUT */
	size_t veth_pairs_nr;
	struct str_list join_ns; /* -J NS:PID or NS:FILE, as given */

	/* -- mounts -- */
	struct str_pair *ext_mounts; /* -M KEY:VAL */
	size_t ext_mounts_nr;
	struct str_list skip_mnt, enable_fs;
	bool enable_external_sharing, enable_external_masters, mntns_compat_mode;

	/* -- cgroups and security modules -- */
	enum cgroup_mode cgroup_mode; /* --manage-cgroups */
	struct str_list cgroup_roots; /* --cgroup-root [CTRL:]PATH, as given */
	char *cgroup_props, *cgroup_props_file, *cgroup_yard;
	struct str_list cgroup_dump_controllers;
	char *lsm_profile, *lsm_mount_context;

	/* -- hooks -- */
	struct str_list action_scripts; /* --action-script, called in this order */
	const struct notify_outlet *outlets[NOTIFY_OUTLETS]; /* run/notify.h; terminated by NULL unless full */

	/* -- check, ps -- */
	bool json; /* --json: output in JSON */
	bool ps_dot; /* --dot: output for Graphviz */
	bool check_images; /* check: -D was given on the command line */
	struct str_list features; /* --feature NAME */
	bool check_all; /* --all: also features that are not needed yet; of ps: everything */
	bool check_extra; /* --extra: also features that only some programs need */
};

/* Sets all defaults; default strings are owned copies. */
int options_init(struct options *opts);
void options_free(struct options *opts);

/* Add a copy. 0 or -ENOMEM. */
int str_list_add(struct str_list *list, const char *s);
void str_list_free(struct str_list *list);
int str_pair_add(struct str_pair **v, size_t *n, const char *key, const char *val);
int options_add_inherit(struct options *opts, int fd, const char *key);
