/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libcriu: checkpoint and restore from a program. Source and binary compatible with the library of CRIU 4.2; libcriu(3)
 * describes it.
 *
 * criu_X(...) works on the options of the process, criu_local_X(opts, ...) on options of its own. Threads may call the
 * latter at the same time, each with its own options. Strings and arrays are copied.
 *
 * Results: 0 or more; -EBADE: criu has refused, errno is its reason or 0; -ECONNREFUSED: no connection to the service,
 * errno is that of connect(2); -ECOMM: the connection broke, or criu could not be started; -EINVAL: invalid arguments, or
 * a request that criu does not know; -EBADMSG: the answer to another request.
 */
#ifndef __CRIU_LIB_H__
#define __CRIU_LIB_H__

#include <stdbool.h>
#include <stddef.h>

#include "rpc.pb-c.h"
#include "version.h"

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CRIU_LOG_UNSET (-1)
#define CRIU_LOG_MSG (0)
#define CRIU_LOG_ERROR (1)
#define CRIU_LOG_WARN (2)
#define CRIU_LOG_INFO (3)
#define CRIU_LOG_DEBUG (4)

/* How criu is reached: a service's socket, a connected socket, a program that is started for each call. */
enum criu_service_comm { CRIU_COMM_SK, CRIU_COMM_FD, CRIU_COMM_BIN };

enum criu_cg_mode {
	CRIU_CG_MODE_IGNORE,
	CRIU_CG_MODE_NONE,
	CRIU_CG_MODE_PROPS,
	CRIU_CG_MODE_SOFT,
	CRIU_CG_MODE_FULL,
	CRIU_CG_MODE_STRICT,
	CRIU_CG_MODE_DEFAULT,
};

enum criu_network_lock_method {
	CRIU_NETWORK_LOCK_IPTABLES = 1,
	CRIU_NETWORK_LOCK_NFTABLES = 2,
	CRIU_NETWORK_LOCK_SKIP = 3,
};

enum criu_pre_dump_mode {
	CRIU_PRE_DUMP_SPLICE = 1,
	CRIU_PRE_DUMP_READ = 2,
};

/* What a notification is about; valid during the callback. */
typedef CriuNotify *criu_notify_arg_t;
typedef void *criu_predump_info;
typedef struct criu_opts criu_opts;

/* Which features are asked for, then which of them there are. */
struct criu_feature_check {
	bool mem_track;
	bool lazy_pages;
	bool pidfd_store;
};

/* -- options of the process: criu_init_opts() comes first -- */

int criu_init_opts(void);
void criu_free_opts(void);

/* The transport, "criu" found in PATH unless one of these is called. NULL: ./criu_service.socket, criu. */
int criu_set_service_address(const char *path);
void criu_set_service_fd(int fd);
int criu_set_service_binary(const char *path);

void criu_set_pid(int pid);
void criu_set_images_dir_fd(int fd);
void criu_set_work_dir_fd(int fd);
int criu_set_parent_images(const char *path);
int criu_set_log_file(const char *log_file);
void criu_set_log_level(int log_level);
int criu_set_config_file(const char *path);
int criu_set_root(const char *root);
int criu_set_freeze_cgroup(const char *name);
int criu_set_lsm_profile(const char *name);
int criu_set_lsm_mount_context(const char *name);
void criu_set_leave_running(bool leave_running);
void criu_set_ext_unix_sk(bool ext_unix_sk);
int criu_add_unix_sk(unsigned int inode);
void criu_set_tcp_established(bool tcp_established);
void criu_set_tcp_skip_in_flight(bool tcp_skip_in_flight);
void criu_set_tcp_close(bool tcp_close);
void criu_set_weak_sysctls(bool val);
void criu_set_evasive_devices(bool evasive_devices);
void criu_set_shell_job(bool shell_job);
void criu_set_skip_file_rwx_check(bool skip_file_rwx_check);
void criu_set_unprivileged(bool unprivileged);
void criu_set_orphan_pts_master(bool orphan_pts_master);
void criu_set_file_locks(bool file_locks);
void criu_set_track_mem(bool track_mem);
void criu_set_auto_dedup(bool auto_dedup);
void criu_set_force_irmap(bool force_irmap);
void criu_set_link_remap(bool link_remap);
void criu_set_manage_cgroups(bool manage);
void criu_set_manage_cgroups_mode(enum criu_cg_mode mode);
void criu_set_auto_ext_mnt(bool val);
void criu_set_ext_sharing(bool val);
void criu_set_ext_masters(bool val);
void criu_set_mntns_compat_mode(bool val);
void criu_set_cpu_cap(unsigned int cap);
void criu_set_timeout(unsigned int seconds);
void criu_set_ghost_limit(unsigned int limit);
void criu_set_pidfd_store_sk(int sk);
void criu_set_empty_ns(int namespaces);
int criu_set_network_lock(enum criu_network_lock_method method);
int criu_set_pre_dump_mode(enum criu_pre_dump_mode mode);
int criu_set_page_server_address_port(const char *address, int port);
int criu_set_exec_cmd(int argc, char *argv[]);
int criu_add_ext_mount(const char *key, const char *val);
int criu_add_veth_pair(const char *in, const char *out);
int criu_add_cg_root(const char *ctrl, const char *path);
int criu_add_enable_fs(const char *fs);
int criu_add_skip_mnt(const char *mnt);
int criu_add_irmap_path(const char *path);
int criu_add_inherit_fd(int fd, const char *key);
int criu_add_external(const char *key);
int criu_join_ns_add(const char *ns, const char *ns_file, const char *extra_opt);

/* Called at each stage; another result than 0 refuses it, and is what the call returns. */
void criu_set_notify_cb(int (*cb)(char *action, criu_notify_arg_t na));
/* The pid of the restored root, 0 if the notification has none. */
int criu_notify_pid(criu_notify_arg_t na);
/* The terminal of the notification orphan-pts-master, which belongs to the caller; -1 if there was none. */
int criu_get_orphan_pts_master_fd(void);

/* -- requests -- */

int criu_check(void);
/* Without criu_set_pid() the calling process: returns 1 in the restored one. */
int criu_dump(void);
int criu_pre_dump(void);
/* Dumps memory until more() returns 0, then everything. A negative result of more() is returned. */
int criu_dump_iters(int (*more)(criu_predump_info pi));
/* Return the pid of the restored root; the second makes it a child of the caller. */
int criu_restore(void);
int criu_restore_child(void);
/* 10000 * major + 100 * minor + sublevel */
int criu_get_version(void);
/* 1: criu is of this version or later; 0: it is older. */
int criu_check_version(int minimum);
int criu_feature_check(struct criu_feature_check *features, size_t size);

/* -- the same with options of one's own -- */

int criu_local_init_opts(criu_opts **opts);
void criu_local_free_opts(criu_opts *opts);

int criu_local_set_service_address(criu_opts *opts, const char *path);
void criu_local_set_service_fd(criu_opts *opts, int fd);
int criu_local_set_service_binary(criu_opts *opts, const char *path);

void criu_local_set_pid(criu_opts *opts, int pid);
void criu_local_set_images_dir_fd(criu_opts *opts, int fd);
void criu_local_set_work_dir_fd(criu_opts *opts, int fd);
int criu_local_set_parent_images(criu_opts *opts, const char *path);
int criu_local_set_log_file(criu_opts *opts, const char *log_file);
void criu_local_set_log_level(criu_opts *opts, int log_level);
int criu_local_set_config_file(criu_opts *opts, const char *path);
int criu_local_set_root(criu_opts *opts, const char *root);
int criu_local_set_freeze_cgroup(criu_opts *opts, const char *name);
int criu_local_set_lsm_profile(criu_opts *opts, const char *name);
int criu_local_set_lsm_mount_context(criu_opts *opts, const char *name);
void criu_local_set_leave_running(criu_opts *opts, bool leave_running);
void criu_local_set_ext_unix_sk(criu_opts *opts, bool ext_unix_sk);
int criu_local_add_unix_sk(criu_opts *opts, unsigned int inode);
void criu_local_set_tcp_established(criu_opts *opts, bool tcp_established);
void criu_local_set_tcp_skip_in_flight(criu_opts *opts, bool tcp_skip_in_flight);
void criu_local_set_tcp_close(criu_opts *opts, bool tcp_close);
void criu_local_set_weak_sysctls(criu_opts *opts, bool val);
void criu_local_set_evasive_devices(criu_opts *opts, bool evasive_devices);
void criu_local_set_shell_job(criu_opts *opts, bool shell_job);
void criu_local_set_skip_file_rwx_check(criu_opts *opts, bool skip_file_rwx_check);
void criu_local_set_unprivileged(criu_opts *opts, bool unprivileged);
void criu_local_set_orphan_pts_master(criu_opts *opts, bool orphan_pts_master);
void criu_local_set_file_locks(criu_opts *opts, bool file_locks);
void criu_local_set_track_mem(criu_opts *opts, bool track_mem);
void criu_local_set_auto_dedup(criu_opts *opts, bool auto_dedup);
void criu_local_set_force_irmap(criu_opts *opts, bool force_irmap);
void criu_local_set_link_remap(criu_opts *opts, bool link_remap);
void criu_local_set_manage_cgroups(criu_opts *opts, bool manage);
void criu_local_set_manage_cgroups_mode(criu_opts *opts, enum criu_cg_mode mode);
void criu_local_set_auto_ext_mnt(criu_opts *opts, bool val);
void criu_local_set_ext_sharing(criu_opts *opts, bool val);
void criu_local_set_ext_masters(criu_opts *opts, bool val);
void criu_local_set_mntns_compat_mode(criu_opts *opts, bool val);
void criu_local_set_cpu_cap(criu_opts *opts, unsigned int cap);
void criu_local_set_timeout(criu_opts *opts, unsigned int seconds);
void criu_local_set_ghost_limit(criu_opts *opts, unsigned int limit);
void criu_local_set_pidfd_store_sk(criu_opts *opts, int sk);
void criu_local_set_empty_ns(criu_opts *opts, int namespaces);
int criu_local_set_network_lock(criu_opts *opts, enum criu_network_lock_method method);
int criu_local_set_pre_dump_mode(criu_opts *opts, enum criu_pre_dump_mode mode);
int criu_local_set_page_server_address_port(criu_opts *opts, const char *address, int port);
int criu_local_set_exec_cmd(criu_opts *opts, int argc, char *argv[]);
int criu_local_add_ext_mount(criu_opts *opts, const char *key, const char *val);
int criu_local_add_veth_pair(criu_opts *opts, const char *in, const char *out);
int criu_local_add_cg_root(criu_opts *opts, const char *ctrl, const char *path);
int criu_local_add_cg_props(criu_opts *opts, const char *props);
int criu_local_add_cg_props_file(criu_opts *opts, const char *path);
int criu_local_add_cg_dump_controller(criu_opts *opts, const char *name);
int criu_local_add_cg_yard(criu_opts *opts, const char *path);
int criu_local_add_enable_fs(criu_opts *opts, const char *fs);
int criu_local_add_skip_mnt(criu_opts *opts, const char *mnt);
int criu_local_add_irmap_path(criu_opts *opts, const char *path);
int criu_local_add_inherit_fd(criu_opts *opts, int fd, const char *key);
int criu_local_add_external(criu_opts *opts, const char *key);
int criu_local_join_ns_add(criu_opts *opts, const char *ns, const char *ns_file, const char *extra_opt);
void criu_local_set_notify_cb(criu_opts *opts, int (*cb)(char *action, criu_notify_arg_t na));

int criu_local_check(criu_opts *opts);
int criu_local_dump(criu_opts *opts);
int criu_local_pre_dump(criu_opts *opts);
int criu_local_dump_iters(criu_opts *opts, int (*more)(criu_predump_info pi));
int criu_local_restore(criu_opts *opts);
int criu_local_restore_child(criu_opts *opts);
int criu_local_get_version(criu_opts *opts);
int criu_local_check_version(criu_opts *opts, int minimum);
int criu_local_feature_check(criu_opts *opts, struct criu_feature_check *features, size_t size);

#ifdef __cplusplus
}
#endif

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#endif /* __CRIU_LIB_H__ */
