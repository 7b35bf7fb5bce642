// SPDX-License-Identifier: LGPL-2.1-only
/* Options of one value. Each is a field of criu_opts of the same name, unless it says otherwise. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* clang-format off */
#define VALUE(function, type, field)                                       \
	void criu_local_##function(criu_opts *opts, type value)            \
	{                                                                  \
		if (!opts)                                                 \
			return;                                            \
		opts->rpc->has_##field = true;                             \
		opts->rpc->field = value;                                  \
	}                                                                  \
	void criu_##function(type value)                                   \
	{                                                                  \
		criu_local_##function(opts_of_process(), value);           \
	}

#define STRING(function, field)                                            \
	int criu_local_##function(criu_opts *opts, const char *value)      \
	{                                                                  \
		return opts ? set_string(&opts->rpc->field, value) : -EINVAL; \
	}

#define STRING_OF_PROCESS(function)                                        \
	int criu_##function(const char *value)                             \
	{                                                                  \
		return criu_local_##function(opts_of_process(), value);    \
	}
/* clang-format on */

static int set_string(char **field, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (!value)
		return -EINVAL;
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

VALUE(set_leave_running, bool, leave_running)
VALUE(set_ext_unix_sk, bool, ext_unix_sk)
VALUE(set_tcp_established, bool, tcp_established)
VALUE(set_tcp_skip_in_flight, bool, tcp_skip_in_flight)
VALUE(set_tcp_close, bool, tcp_close)
VALUE(set_weak_sysctls, bool, weak_sysctls)
VALUE(set_evasive_devices, bool, evasive_devices)
VALUE(set_shell_job, bool, shell_job)
VALUE(set_skip_file_rwx_check, bool, skip_file_rwx_check)
VALUE(set_unprivileged, bool, unprivileged)
VALUE(set_orphan_pts_master, bool, orphan_pts_master)
VALUE(set_file_locks, bool, file_locks)
VALUE(set_track_mem, bool, track_mem)
VALUE(set_auto_dedup, bool, auto_dedup)
VALUE(set_force_irmap, bool, force_irmap)
VALUE(set_link_remap, bool, link_remap)
VALUE(set_manage_cgroups, bool, manage_cgroups)
VALUE(set_auto_ext_mnt, bool, auto_ext_mnt)
VALUE(set_ext_sharing, bool, ext_sharing)
VALUE(set_ext_masters, bool, ext_masters)
VALUE(set_mntns_compat_mode, bool, mntns_compat_mode)
VALUE(set_work_dir_fd, int, work_dir_fd)
VALUE(set_pid, int, pid)
VALUE(set_log_level, int, log_level)
VALUE(set_pidfd_store_sk, int, pidfd_store_sk)
VALUE(set_empty_ns, int, empty_ns)
VALUE(set_cpu_cap, unsigned int, cpu_cap)
VALUE(set_timeout, unsigned int, timeout)
VALUE(set_ghost_limit, unsigned int, ghost_limit)

STRING(set_parent_images, parent_img)
STRING(set_log_file, log_file)
STRING(set_root, root)
STRING(set_freeze_cgroup, freeze_cgroup)
STRING(set_lsm_profile, lsm_profile)
STRING(set_lsm_mount_context, lsm_mount_context)
STRING(set_config_file, config_file)
STRING(add_cg_props, cgroup_props)
STRING(add_cg_props_file, cgroup_props_file)
STRING(add_cg_yard, cgroup_yard)

STRING_OF_PROCESS(set_parent_images)
STRING_OF_PROCESS(set_log_file)
STRING_OF_PROCESS(set_root)
STRING_OF_PROCESS(set_freeze_cgroup)
STRING_OF_PROCESS(set_lsm_profile)
STRING_OF_PROCESS(set_lsm_mount_context)
STRING_OF_PROCESS(set_config_file)

/* The field is required: it is always there. */
void criu_local_set_images_dir_fd(criu_opts *opts, int fd)
{
	if (opts)
		opts->rpc->images_dir_fd = fd;
}

void criu_set_images_dir_fd(int fd)
{
	criu_local_set_images_dir_fd(opts_of_process(), fd);
}

/* The numbers are those of rpc.proto. */
void criu_local_set_manage_cgroups_mode(criu_opts *opts, enum criu_cg_mode mode)
{
	if (!opts)
		return;
	opts->rpc->has_manage_cgroups_mode = true;
	opts->rpc->manage_cgroups_mode = (CriuCgMode)mode;
}

void criu_set_manage_cgroups_mode(enum criu_cg_mode mode)
{
	criu_local_set_manage_cgroups_mode(opts_of_process(), mode);
}

int criu_local_set_network_lock(criu_opts *opts, enum criu_network_lock_method method)
{
	switch (method) {
	case CRIU_NETWORK_LOCK_IPTABLES:
	case CRIU_NETWORK_LOCK_NFTABLES:
	case CRIU_NETWORK_LOCK_SKIP:
		break;
	default:
		return -1; /* style: the result in CRIU 4.2 */
	}
	if (!opts)
		return -EINVAL;
	opts->rpc->has_network_lock = true;
	opts->rpc->network_lock = (CriuNetworkLockMethod)method;
	return 0;
}

int criu_set_network_lock(enum criu_network_lock_method method)
{
	return criu_local_set_network_lock(opts_of_process(), method);
}

int criu_local_set_pre_dump_mode(criu_opts *opts, enum criu_pre_dump_mode mode)
{
	if (mode != CRIU_PRE_DUMP_SPLICE && mode != CRIU_PRE_DUMP_READ)
		return -1; /* style: the result in CRIU 4.2 */
	if (!opts)
		return -EINVAL;
	opts->rpc->has_pre_dump_mode = true;
	opts->rpc->pre_dump_mode = (CriuPreDumpMode)mode;
	return 0;
}

int criu_set_pre_dump_mode(enum criu_pre_dump_mode mode)
{
	return criu_local_set_pre_dump_mode(opts_of_process(), mode);
}

void criu_local_set_notify_cb(criu_opts *opts, int (*cb)(char *action, criu_notify_arg_t na))
{
	if (!opts)
		return;
	opts->notify = cb;
	opts->rpc->has_notify_scripts = true;
	opts->rpc->notify_scripts = cb != NULL;
}

void criu_set_notify_cb(int (*cb)(char *action, criu_notify_arg_t na))
{
	criu_local_set_notify_cb(opts_of_process(), cb);
}

int criu_local_set_page_server_address_port(criu_opts *opts, const char *address, int port)
{
	CriuPageServerInfo *server;
	int err;

	if (!opts || !address)
		return -EINVAL;
	server = malloc(sizeof(*server));
	if (!server)
		return -ENOMEM;
	criu_page_server_info__init(server);
	server->has_port = true;
	server->port = port;
	err = set_string(&server->address, address);
	if (err) {
		free(server);
		return err;
	}
	if (opts->rpc->ps)
		criu_page_server_info__free_unpacked(opts->rpc->ps, NULL);
	opts->rpc->ps = server;
	return 0;
}

int criu_set_page_server_address_port(const char *address, int port)
{
	return criu_local_set_page_server_address_port(opts_of_process(), address, port);
}
