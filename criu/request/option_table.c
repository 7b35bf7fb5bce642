// SPDX-License-Identifier: GPL-2.0-only
/*
 * All options. Those with implemented = false (macros LATER_*) are recognized, and rejected by name where they would
 * have an effect.
 */
#include "request/option_table.h"
#include <string.h>

#include "request/modes.h"
#include "request/option_values.h"
#include "request/request.h"
#include "request/rpc_values.h"
#include "util/suggest.h"

/* clang-format off */
#define AT(field) .offset = offsetof(struct options, field)
#define ROW(is_implemented, short_name, long_name, cmds, in_group) \
	.name = long_name, .letter = short_name, .implemented = is_implemented, .commands = cmds, .group = GROUP_##in_group

/* The field of criu_opts: converted by its type, or by a function of rpc_values.c, or none. */
#define RPC(field) .rpc = #field
#define RPC_TRUE(field) .rpc = #field, .rpc_true_only = true
#define RPC_BY(fn, fields) .rpc = fields, .from_rpc = fn
#define NO_RPC .rpc = ""

#define AS_FLAG(field, text) .kind = ARG_NONE, AT(field), .help = text
#define AS_STRING(field, a, text) .kind = ARG_STRING, AT(field), .arg = a, .help = text
#define AS_LIST(field, a, text) .kind = ARG_LIST, AT(field), .arg = a, .help = text
#define AS_MODE(field, list, a, text) .kind = ARG_MODE, AT(field), .modes = &list, .arg = a, .help = text
#define AS_VALUE(how, fn, a, text) .kind = ARG_##how, .parse = fn, .arg = a, .help = text

#define FLAG(c, n, cmds, in, field, of_rpc, text) { ROW(true, c, n, cmds, in), AS_FLAG(field, text), of_rpc }
#define STRING(c, n, a, cmds, in, field, of_rpc, text) { ROW(true, c, n, cmds, in), AS_STRING(field, a, text), of_rpc }
#define LIST(c, n, a, cmds, in, field, of_rpc, text) { ROW(true, c, n, cmds, in), AS_LIST(field, a, text), of_rpc }
#define MODE(n, a, cmds, in, field, list, of_rpc, text) { ROW(true, 0, n, cmds, in), AS_MODE(field, list, a, text), of_rpc }
#define VALUE(how, c, n, a, cmds, in, fn, of_rpc, text) { ROW(true, c, n, cmds, in), AS_VALUE(how, fn, a, text), of_rpc }
#define LATER_FLAG(c, n, cmds, in, field, of_rpc, text) { ROW(false, c, n, cmds, in), AS_FLAG(field, text), of_rpc }
#define LATER_STRING(c, n, a, cmds, in, field, of_rpc, text) { ROW(false, c, n, cmds, in), AS_STRING(field, a, text), of_rpc }
#define LATER_VALUE(how, c, n, a, cmds, in, fn, of_rpc, text) { ROW(false, c, n, cmds, in), AS_VALUE(how, fn, a, text), of_rpc }

#define DUMPS (CMD_DUMP | CMD_PRE_DUMP)
#define RESTORE CMD_RESTORE
/* What criu check takes into account. */
#define RESTORES (CMD_RESTORE | CMD_CHECK)
#define SERVERS (CMD_PAGE_SERVER | CMD_LAZY_PAGES | CMD_SERVICE)
#define IMAGES (CMD_BOTH | CMD_PAGE_SERVER | CMD_LAZY_PAGES | CMD_DEDUP | CMD_CPUINFO | CMD_PS | CMD_CHECK)
#define PAGES (CMD_BOTH | CMD_PAGE_SERVER | CMD_LAZY_PAGES)

const struct option_spec option_table[] = {
	/* -- common options -- */
	VALUE(HANDLER, 't', "tree", "PID", DUMPS | CMD_CHECK | CMD_EXEC, MAIN, value_pid, RPC_BY(rpc_pid, "pid"), "root of the process tree to dump"),
	STRING('D', "images-dir", "DIR", IMAGES | CMD_SERVICE, MAIN, images_dir, RPC_BY(rpc_images_dir, "images_dir_fd,images_dir"), "images directory (default: .; check: would these be restored here?)"),
	STRING('W', "work-dir", "DIR", IMAGES | SERVERS, MAIN, work_dir, RPC_BY(rpc_work_dir, "work_dir_fd"), "directory for log, pidfile and statistics (default: the images directory)"),
	STRING('o', "log-file", "FILE", CMD_ANY, MAIN, log_file, RPC_BY(rpc_log_file, "log_file,log_to_stderr"), "log to FILE instead of stderr; relative to the work directory"),
	VALUE(OPTIONAL, 'v', "verbosity", "N", CMD_ANY, MAIN, value_verbosity, RPC_BY(rpc_log_level, "log_level"), "log level: 0 silent, 1 errors, 2 warnings (default), 3 info, 4 debug; each -v adds one"),
	FLAG('j', "shell-job", CMD_BOTH | CMD_CHECK, MAIN, shell_job, RPC(shell_job), "the tree was started from a shell: it shares the shell's session and terminal"),
	FLAG('R', "leave-running", DUMPS, MAIN, leave_running, RPC_TRUE(leave_running), "keep the tree running after the dump (default: it is killed)"),
	FLAG('s', "leave-stopped", CMD_DUMP | RESTORE, MAIN, leave_stopped, RPC_TRUE(leave_stopped), "leave the tree stopped (SIGSTOP)"),
	FLAG('d', "restore-detached", RESTORE | SERVERS, MAIN, restore_detached, NO_RPC, "return as soon as the tree runs, instead of waiting for it to exit"),
	FLAG(0, "daemon", RESTORE | SERVERS, MAIN, restore_detached, NO_RPC, "the same, for servers: run in the background"),
	FLAG(0, "strict-limits", RESTORES, MAIN, strict_limits, NO_RPC, "fail if a hard limit (ulimit -H) cannot be restored to its old value"),
	FLAG('S', "restore-sibling", RESTORE, MAIN, restore_sibling, RPC(rst_sibling), "with -d: the tree becomes a child of the process that called criu"),
	STRING(0, "pidfile", "FILE", RESTORE | SERVERS, MAIN, pidfile, NO_RPC, "write the pid of the tree's root, or of the server, to FILE; relative to the work directory"),
	VALUE(ACTION, 0, "exec-cmd", "-- COMMAND [ARG]...", RESTORE, MAIN, value_nothing, RPC_BY(rpc_exec_cmd, "exec_cmd"), "execute COMMAND in place of criu once the tree runs, as the tree's parent"),
	LIST(0, "action-script", "PATH", CMD_BOTH | CMD_PAGE_SERVER | CMD_LAZY_PAGES, MAIN, action_scripts, NO_RPC, "run PATH at each stage; the stage is in CRTOOLS_SCRIPT_ACTION"),
	VALUE(HANDLER, 0, "timeout", "SECONDS", DUMPS, MAIN, value_timeout, RPC(timeout), "fail if the tree cannot be frozen within this time (default: 10; 0: no limit)"),
	FLAG(0, "display-stats", CMD_DUMP | RESTORE, MAIN, display_stats, RPC(display_stats), "print timing and page counts at the end"),

	/* -- files and descriptors -- */
	VALUE(HANDLER, 0, "ghost-limit", "SIZE", DUMPS | CMD_CHECK, FILES, value_ghost_limit, RPC(ghost_limit), "largest unlinked file that is saved with its content (default: 1M; suffixes K, M, G)"),
	VALUE(OPTIONAL, 0, "tmpfs-files", "SIZE", DUMPS | CMD_CHECK, FILES, value_tmpfs_files, NO_RPC, "save files in /dev/shm and other tmpfs, each up to SIZE (default: 64M); restore creates missing ones"),
	FLAG(0, "link-remap", DUMPS | CMD_CHECK, FILES, link_remap, RPC(link_remap), "give unlinked files that have other links a temporary name"),
	MODE("file-validation", "filesize|buildid", CMD_BOTH | CMD_CHECK, FILES, file_validation, file_validation_modes, NO_RPC, "how restore verifies that a file is still the same (default: buildid, or size if it has none)"),
	FLAG('l', "file-locks", CMD_BOTH | CMD_CHECK, FILES, file_locks, RPC(file_locks), "save file locks: flock(2), fcntl(2) record locks, leases"),
	FLAG(0, "ghost-fiemap", DUMPS, FILES, ghost_fiemap, NO_RPC, "accepted, no effect: holes in unlinked files are always detected, with SEEK_HOLE"),
	FLAG(0, "evasive-devices", CMD_BOTH | CMD_CHECK, FILES, evasive_devices, RPC(evasive_devices), "save a device under another path if its own no longer leads to it"),
	FLAG(0, "skip-events", DUMPS | CMD_CHECK, FILES, skip_events, NO_RPC, "drop inotify and fanotify events that have not been read yet"),
	FLAG(0, "force-irmap", DUMPS | CMD_CHECK, FILES, force_irmap, RPC(force_irmap), "find files watched by inotify and fanotify by scanning paths, not by file handle"),
	LIST(0, "irmap-scan-path", "DIR", DUMPS | CMD_CHECK, FILES, irmap_scan_paths, RPC(irmap_scan_paths), "also look for watched files below this directory"),
	FLAG(0, "skip-file-rwx-check", RESTORES, FILES, skip_file_rwx_check, RPC(skip_file_rwx_check), "accept files whose permissions have changed since the dump"),

	/* -- external resources -- */
	VALUE(HANDLER, 0, "external", "TYPE[ID]", CMD_BOTH | CMD_CHECK, EXTERNAL, value_external, RPC(external), "file[MOUNT:INODE], tty[RDEV:DEV] (hex), pipe:[INODE], unix[INODE] or pid[INODE]:KEY: not saved, supplied at restore with --inherit-fd"),
	VALUE(HANDLER, 0, "inherit-fd", "fd[N]:KEY", RESTORES, EXTERNAL, value_inherit_fd, RPC_BY(rpc_inherit_fd, "inherit_fd"), "use criu's descriptor N in place of the file KEY: a path, 'pipe:[I]', 'socket:[I]', 'file[M:I]', 'tty[R:D]'"),
	VALUE(OPTIONAL, 'x', "ext-unix-sk", "INODE,...", CMD_BOTH | CMD_CHECK, EXTERNAL, value_ext_unix_sk, RPC_BY(rpc_ext_unix_sk, "ext_unix_sk,unix_sk_ino"), "allow unix sockets whose peer is outside the tree"),
	VALUE(HANDLER, 0, "untrusted-images", "UID", RESTORE, EXTERNAL, value_untrusted_images, NO_RPC, "the images are from this user: give the tree no right that the user does not have"),
	STRING('r', "root", "DIR", RESTORES, EXTERNAL, root, RPC(root), "root directory of the restored tree"),
	VALUE(HANDLER, 0, "close", "FD", CMD_ANY, EXTERNAL, value_close, NO_RPC, "close this file descriptor first"),

	/* -- memory -- */
	FLAG(0, "track-mem", DUMPS, MEMORY, track_mem, RPC(track_mem), "track memory changes, for a later incremental dump"),
	STRING(0, "prev-images-dir", "DIR", DUMPS | CMD_PAGE_SERVER, MEMORY, parent_dir, RPC(parent_img), "images of the previous dump; relative to the images directory"),
	FLAG(0, "auto-dedup", CMD_BOTH | CMD_PAGE_SERVER, MEMORY, auto_dedup, RPC(auto_dedup), "punch superseded pages out of older images"),
	MODE("pre-dump-mode", "splice|read", CMD_PRE_DUMP, MEMORY, pre_dump_mode, pre_dump_modes, RPC(pre_dump_mode), "recorded in the images; pages are read in the same way with both"),
	FLAG(0, "lazy-pages", CMD_RESTORE | CMD_DUMP | CMD_PAGE_SERVER, MEMORY, lazy_pages, RPC(lazy_pages), "restore: load pages when they are first accessed; dump, page-server: send them when criu lazy-pages asks for them"),
	VALUE(HANDLER, 0, "restores", "N", CMD_LAZY_PAGES, MEMORY, value_restores, NO_RPC, "serve N restores of these images, at once or one after the other (0: until SIGTERM; default: one)"),
	FLAG(0, "page-server", DUMPS | CMD_LAZY_PAGES, MEMORY, page_server, RPC_BY(rpc_page_server, "ps"), "send the pages to a page server, or fetch them there: --address and --port, or --ps-socket"),
	STRING(0, "address", "ADDR", DUMPS | SERVERS, MEMORY, address, RPC(ps.address), "of the page server (default: 127.0.0.1), or where to listen (default: every IPv4 address); service: path of its socket (default: criu_service.socket in the work directory)"),
	VALUE(HANDLER, 0, "socket-mode", "MODE", CMD_SERVICE, OTHER, value_socket_mode, NO_RPC, "permissions of that socket, octal (default: 0600)"),
	VALUE(HANDLER, 0, "port", "PORT", DUMPS | CMD_PAGE_SERVER | CMD_LAZY_PAGES, MEMORY, value_port, RPC_BY(rpc_port, "ps.port"), "port of the page server (default when listening: a free one, which is logged)"),
	VALUE(HANDLER, 0, "ps-socket", "FD", DUMPS | CMD_PAGE_SERVER | CMD_LAZY_PAGES, MEMORY, value_ps_socket, RPC(ps.fd), "connected stream socket to the page server, or to its client"),
	VALUE(HANDLER, 0, "status-fd", "FD", PAGES | CMD_SERVICE, MEMORY, value_status_fd, RPC(status_fd), "write a zero byte to FD when ready"),
	FLAG(0, "tls", DUMPS | CMD_PAGE_SERVER | CMD_LAZY_PAGES, MEMORY, tls, RPC_TRUE(tls), "encrypt the connection to the page server"),
	STRING(0, "tls-cacert", "FILE", DUMPS | CMD_PAGE_SERVER | CMD_LAZY_PAGES, MEMORY, tls_cacert, RPC(tls_cacert), "certificates of trusted CAs"),
	STRING(0, "tls-cacrl", "FILE", DUMPS | CMD_PAGE_SERVER | CMD_LAZY_PAGES, MEMORY, tls_cacrl, RPC(tls_cacrl), "certificate revocation list"),
	STRING(0, "tls-cert", "FILE", DUMPS | CMD_PAGE_SERVER | CMD_LAZY_PAGES, MEMORY, tls_cert, RPC(tls_cert), "our certificate"),
	STRING(0, "tls-key", "FILE", DUMPS | CMD_PAGE_SERVER | CMD_LAZY_PAGES, MEMORY, tls_key, RPC(tls_key), "our private key"),
	FLAG(0, "tls-no-cn-verify", DUMPS | CMD_PAGE_SERVER | CMD_LAZY_PAGES, MEMORY, tls_no_cn_verify, RPC_TRUE(tls_no_cn_verify), "do not verify the common name of the peer"),
	VALUE(OPTIONAL, 'c', "compress", "lz4|zstd", DUMPS, MEMORY, value_compress, NO_RPC, "compress pages (default: lz4, which CRIU has after 4.2; zstd only this program)"),
	VALUE(HANDLER, 0, "compress-block", "SIZE", DUMPS, MEMORY, value_compress_block, NO_RPC, "pages that are compressed together: multiple of 4K, up to 4M (default: 256K)"),
	VALUE(HANDLER, 0, "compress-acceleration", "N", DUMPS, MEMORY, value_compress_acceleration, NO_RPC, "of lz4, 1 (default) to 65537: faster and larger"),
	FLAG(0, "page-checksums", DUMPS, MEMORY, page_checksums, NO_RPC, "write a checksum of each page, which a restore compares"),
	FLAG(0, "share-pages", DUMPS, MEMORY, share_pages, NO_RPC, "write pages that processes share copy-on-write once, in images that CRIU 4.2 refuses"),
	FLAG(0, "skip-dontdump", CMD_DUMP, MEMORY, skip_dontdump, NO_RPC, "do not save private memory that the program has marked with MADV_DONTDUMP: it is zeros after a restore"),
	VALUE(HANDLER, 0, "exclude-memory", "PID:START-END", CMD_DUMP, MEMORY, value_exclude_memory, NO_RPC, "do not save this private memory (hexadecimal addresses of whole pages), as it has secrets: it is zeros after a restore"),
	VALUE(HANDLER, 0, "decompress-threads", "N", RESTORE, MEMORY, value_decompress_threads, NO_RPC, "threads that decompress the pages of one process (default: 0, all CPUs, which the processes of the tree share)"),
	MODE("image-io-mode", "writeback|direct", CMD_BOTH, MEMORY, image_io_mode, image_io_modes, NO_RPC, "direct: write and read pages of processes past the page cache, where the file system can (default: writeback)"),
	VALUE(OPTIONAL, 0, "stream", "-", CMD_BOTH, MEMORY, value_stream, NO_RPC, "send or receive all images: - through standard output or input, after those of pre-dumps; default: through an image streamer with a socket in the images directory"),

	/* -- network -- */
	FLAG(0, "tcp-established", CMD_BOTH | CMD_CHECK, NET, tcp_established, RPC(tcp_established), "save and restore TCP connections"),
	FLAG(0, "tcp-close", CMD_BOTH | CMD_CHECK, NET, tcp_close, RPC(tcp_close), "restore TCP connections as closed"),
	VALUE(HANDLER, 0, "tcp-address", "OLD=NEW", RESTORES, NET, value_tcp_address, NO_RPC, "restore TCP sockets of address OLD with address NEW: listening ones, and connections within the tree"),
	FLAG(0, "skip-in-flight", CMD_BOTH | CMD_CHECK, NET, skip_in_flight, RPC(tcp_skip_in_flight), "drop connections that have not been accepted yet"),
	MODE("network-lock", "iptables|nftables|skip", CMD_BOTH, NET, network_lock, network_lock_modes, RPC_BY(rpc_network_lock, "network_lock"), "how TCP traffic is blocked while the tree is frozen"),

	/* -- namespaces, mounts, cgroups -- */
	VALUE(HANDLER, 0, "empty-ns", "net", CMD_BOTH | CMD_CHECK, NS, value_empty_ns, RPC_BY(rpc_empty_ns, "empty_ns"), "network namespaces of the tree are not saved, and restored empty"),
	VALUE(HANDLER, 'J', "join-ns", "NS:PID|FILE", RESTORES, NS, value_join_ns, RPC_BY(rpc_join_ns, "join_ns"), "restore into an existing namespace"),
	VALUE(HANDLER, 0, "veth-pair", "IN=OUT", RESTORES, NS, value_veth_pair, RPC_BY(rpc_veth_pairs, "veths"), "name of the outer end of a veth pair"),
	VALUE(HANDLER, 'M', "ext-mount-map", "KEY:VAL", CMD_BOTH | CMD_CHECK, NS, value_ext_mount, RPC_BY(rpc_ext_mounts, "ext_mnt,auto_ext_mnt"), "map an external mount"),
	LIST(0, "skip-mnt", "PATH", DUMPS, NS, skip_mnt, RPC(skip_mnt), "skip this mount"),
	LIST(0, "enable-fs", "FS", CMD_BOTH | CMD_CHECK, NS, enable_fs, RPC(enable_fs), "accept this file system type: it is mounted anew, with its source and options, and its content is not saved"),
	FLAG(0, "enable-external-sharing", CMD_BOTH | CMD_CHECK, NS, enable_external_sharing, RPC(ext_sharing), "allow mounts that are shared with the host"),
	FLAG(0, "enable-external-masters", CMD_BOTH | CMD_CHECK, NS, enable_external_masters, RPC(ext_masters), "allow mounts that are slaves of external mounts"),
	FLAG(0, "mntns-compat-mode", RESTORE, NS, mntns_compat_mode, RPC_BY(rpc_mntns_compat_mode, "mntns_compat_mode"), "accepted, no effect: there is only one way of restoring mounts"),
	FLAG(0, "weak-sysctls", CMD_BOTH | CMD_CHECK, NS, weak_sysctls, RPC(weak_sysctls), "a sysctl of a network that cannot be set is only a warning"),
	VALUE(OPTIONAL, 0, "manage-cgroups", "MODE", CMD_BOTH | CMD_CHECK, NS, value_manage_cgroups, RPC_BY(rpc_manage_cgroups, "manage_cgroups,manage_cgroups_mode"), "cgroups of the tree: soft (default), full, strict, props, none, ignore"),
	LIST(0, "cgroup-root", "[CTRL:]PATH", CMD_BOTH | CMD_CHECK, NS, cgroup_roots, RPC_BY(rpc_cgroup_roots, "cg_root"), "create the tree's cgroups below PATH"),
	STRING(0, "cgroup-props", "STRING", DUMPS, NS, cgroup_props, RPC(cgroup_props), "cgroup properties to save"),
	STRING(0, "cgroup-props-file", "FILE", DUMPS, NS, cgroup_props_file, RPC(cgroup_props_file), "the same, read from FILE"),
	LIST(0, "cgroup-dump-controller", "NAME", DUMPS, NS, cgroup_dump_controllers, RPC(cgroup_dump_controller), "save this controller"),
	STRING(0, "cgroup-yard", "DIR", CMD_BOTH, NS, cgroup_yard, RPC(cgroup_yard), "where the cgroup file systems are mounted"),
	STRING(0, "freeze-cgroup", "DIR", DUMPS, NS, freeze_cgroup, RPC(freeze_cgroup), "freeze the tree with this cgroup"),
	STRING(0, "lsm-profile", "TYPE:NAME", RESTORE, NS, lsm_profile, RPC(lsm_profile), "security label of all restored processes: apparmor:PROFILE or selinux:CONTEXT"),
	STRING(0, "lsm-mount-context", "CONTEXT", RESTORE, NS, lsm_mount_context, RPC(lsm_mount_context), "SELinux context of mounts that have one"),

	/* -- other -- */
	VALUE(OPTIONAL, 0, "cpu-cap", "all,cpu,fpu,ins,chosen,none,image", CMD_BOTH | CMD_CHECK | CMD_CPUINFO, OTHER, value_cpu_cap, RPC_BY(rpc_cpu_cap, "cpu_cap"), "how strictly the CPU must match (default: fpu,ins)"),
	LATER_FLAG(0, "allow-uprobes", CMD_BOTH, OTHER, allow_uprobes, NO_RPC, "allow tasks with uprobes"),
	FLAG(0, "unprivileged", CMD_ANY, OTHER, unprivileged, RPC(unprivileged), "accepted, no effect: any user may run criu; a run needs only the rights that it uses"),
	FLAG(0, "log-pid", RESTORE, OTHER, log_pid, NO_RPC, "accepted, no effect: all tasks log to one file, each line with the pid"),
	STRING('L', "libdir", "DIR", CMD_BOTH, OTHER, libdir, NO_RPC, "plugin directory"),
	FLAG(0, "experimental", CMD_ANY, OTHER, experimental, NO_RPC, "allow experimental features"),
	LIST(0, "feature", "NAME", CMD_CHECK, MAIN, features, NO_RPC, "test only this feature: exit 0 if available (\"list\" lists the names)"),
	FLAG(0, "all", CMD_CHECK | CMD_PS, MAIN, check_all, NO_RPC, "check: also features that are not needed yet; ps: everything, in lines of any length"),
	FLAG(0, "json", CMD_CHECK | CMD_PS, MAIN, json, NO_RPC, "output in JSON (check: with -t or -D)"),
	FLAG(0, "dot", CMD_PS, MAIN, ps_dot, NO_RPC, "a diagram for Graphviz: criu ps --dot | dot -Tsvg"),
	FLAG(0, "extra", CMD_CHECK, MAIN, check_extra, NO_RPC, "also features that only some programs need"),
	VALUE(ACTION, 0, "ms", NULL, CMD_CHECK, OTHER, value_nothing, NO_RPC, "for old scripts: no effect"),
	STRING(0, "config", "FILE", CMD_ANY, OTHER, config_file, RPC(config_file), "read options from FILE instead of the default files, one per line, without dashes"),
	FLAG(0, "no-default-config", CMD_ANY, OTHER, no_default_config, NO_RPC, "read neither /etc/criu/default.conf nor ~/.criu/default.conf"),
	VALUE(ACTION, 0, "show-options", NULL, CMD_ANY, OTHER, value_nothing, NO_RPC, "only print the options that apply, of configuration files first, one per line: of a repeated one the last counts"),
	VALUE(ACTION, 'h', "help", NULL, CMD_ANY, OTHER, value_nothing, NO_RPC, "print this help, or that of a command"),
	VALUE(ACTION, 'V', "version", NULL, CMD_ANY, OTHER, value_nothing, NO_RPC, "print the version"),
};
/* clang-format on */

const size_t option_table_nr = sizeof(option_table) / sizeof(option_table[0]);

const struct option_spec *option_find(const char *name, size_t len)
{
	for (size_t i = 0; i < option_table_nr; i++)
		if (strlen(option_table[i].name) == len && !memcmp(option_table[i].name, name, len))
			return &option_table[i];
	return NULL;
}

const struct option_spec *option_find_letter(char letter)
{
	for (size_t i = 0; i < option_table_nr; i++)
		if (option_table[i].letter == letter)
			return &option_table[i];
	return NULL;
}

static const char *option_name(size_t i)
{
	return option_table[i].name;
}

int option_unknown(const struct request *req, const char *dashes, const char *name, const char *where)
{
	const char *near = suggest(name, option_table_nr, option_name);

	if (near)
		return request_refuse(req, "%sunknown option %s%s; did you mean %s%s?", where, dashes, name, dashes,
				      near);
	return request_refuse(req, "%sunknown option %s%s; see criu --help", where, dashes, name);
}
