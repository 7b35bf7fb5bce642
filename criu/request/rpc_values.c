// SPDX-License-Identifier: GPL-2.0-only
#include "request/rpc_values.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "request/modes.h"
#include "request/take.h"
#include "util/log.h"
#include "util/str.h"

#define LOG_FILE_DEFAULT "criu.log"

void rpc_shown(char *ret, size_t size, const char *field, const struct option_spec *spec)
{
	snprintf(ret, size, "%s (--%s)", field, spec->name);
}

static int take(struct request *req, const struct option_spec *spec, const char *field, const char *value)
{
	char shown[64];

	rpc_shown(shown, sizeof(shown), field, spec);
	return option_take(req, spec, value, shown);
}

static int admit(struct request *req, const struct option_spec *spec, const char *field)
{
	char shown[64];

	rpc_shown(shown, sizeof(shown), field, spec);
	return option_admit(req, spec, shown);
}

/* Without it the client means itself. Any other number is at most one of a process that does not exist. */
int rpc_pid(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	if (!rpc->has_pid || !option_applies(req, spec))
		return 0;
	if (rpc->pid <= 0) {
		request_refuse(req, "pid %d: no such process", rpc->pid);
		return -ESRCH;
	}
	req->opts.pid = rpc->pid;
	return 0;
}

int rpc_images_dir(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	if (rpc->images_dir_fd >= 0)
		req->opts.images_dir_fd = rpc->images_dir_fd;
	else if (rpc->images_dir)
		return option_apply(req, spec, rpc->images_dir);
	else if (option_applies(req, spec) && req->command != CMD_CHECK) /* one from a config file does not count */
		return request_refuse(req, "images_dir_fd or images_dir is required");
	return 0;
}

int rpc_work_dir(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	if (rpc->has_work_dir_fd && rpc->work_dir_fd >= 0)
		req->opts.work_dir_fd = rpc->work_dir_fd;
	return 0;
}

/* Always a file in the work directory, unless the client wants it on stderr. */
int rpc_log_file(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	char **log_file = &req->opts.log_file;

	if (rpc->log_file && strchr(rpc->log_file, '/'))
		return request_refuse(req, "log_file: '%s': invalid value; expected a name without a slash",
				      rpc->log_file);
	if (rpc->log_file)
		return take(req, spec, "log_file", rpc->log_file);
	if (rpc->has_log_to_stderr && rpc->log_to_stderr) {
		free(*log_file);
		*log_file = NULL;
		return 0;
	}
	return *log_file ? 0 : option_apply(req, spec, LOG_FILE_DEFAULT);
}

/* The default, if the client does not set it, even if config files do. */
int rpc_log_level(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	const int level = rpc->has_log_level && rpc->log_level >= 0 ? rpc->log_level : LOG_WARN;

	req->opts.log_level = MIN_OF(level, (int)LOG_DEBUG);
	return 0;
}

int rpc_exec_cmd(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	int ret = rpc->n_exec_cmd ? admit(req, spec, "exec_cmd") : 0;

	for (size_t i = 0; ret > 0 && i < rpc->n_exec_cmd; i++)
		if (str_list_add(&req->opts.exec_cmd, rpc->exec_cmd[i]) < 0)
			return -ENOMEM;
	return ret < 0 ? ret : 0;
}

int rpc_inherit_fd(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	int ret = rpc->n_inherit_fd ? admit(req, spec, "inherit_fd") : 0;

	for (size_t i = 0; ret > 0 && i < rpc->n_inherit_fd; i++) {
		const InheritFd *fd = rpc->inherit_fd[i];

		if (fd->fd < 0 || !fd->key[0])
			return request_refuse(req, "inherit_fd: fd %d, key '%s': invalid value; expected both", fd->fd,
					      fd->key);
		if (options_add_inherit(&req->opts, fd->fd, fd->key) < 0)
			return -ENOMEM;
	}
	return ret < 0 ? ret : 0;
}

/* Inodes have no effect without the flag. */
int rpc_ext_unix_sk(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	char inode[16];
	int ret;

	if (!rpc->has_ext_unix_sk)
		return 0;
	if (!rpc->ext_unix_sk) {
		req->opts.ext_unix_sk = false;
		return 0;
	}
	ret = take(req, spec, "ext_unix_sk", NULL);
	for (size_t i = 0; ret == 0 && i < rpc->n_unix_sk_ino; i++) {
		snprintf(inode, sizeof(inode), "%u", rpc->unix_sk_ino[i]->inode);
		ret = take(req, spec, "unix_sk_ino", inode);
	}
	return ret;
}

/* 16 bits, which some clients take for a signed number. 0: any. */
int rpc_port(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	char port[16];

	if (!rpc->ps || !rpc->ps->has_port || !rpc->ps->port)
		return 0;
	snprintf(port, sizeof(port), "%d", rpc->ps->port < 0 ? rpc->ps->port + UINT16_MAX + 1 : rpc->ps->port);
	return take(req, spec, "ps.port", port);
}

/* With lazy_pages it is the address where this process listens. */
int rpc_page_server(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	if (!rpc->ps || (rpc->has_lazy_pages && rpc->lazy_pages))
		return 0;
	return take(req, spec, "ps", NULL);
}

/* A restore uses the method of the dump. */
int rpc_network_lock(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	const struct mode *mode = mode_by_rpc(spec->modes, (int)rpc->network_lock);

	if (!rpc->has_network_lock)
		return 0;
	if (!mode)
		return request_refuse(req,
				      "network_lock (--network-lock): %d: invalid value; expected the number of %s",
				      (int)rpc->network_lock, spec->arg);
	return req->command & CMD_RESTORE ? 0 : take(req, spec, "network_lock", mode->word);
}

int rpc_mntns_compat_mode(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	if (!rpc->has_mntns_compat_mode || !rpc->mntns_compat_mode)
		return 0;
	if (req->command & (CMD_DUMP | CMD_PRE_DUMP))
		return request_refuse(req, "mntns_compat_mode (--mntns-compat-mode) is only for a restore");
	return take(req, spec, "mntns_compat_mode", NULL);
}

int rpc_empty_ns(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	if (!rpc->has_empty_ns || !rpc->empty_ns)
		return 0;
	if (rpc->empty_ns != CLONE_NEWNET)
		return request_refuse(req, "empty_ns: 0x%x: invalid value; expected 0x%x", rpc->empty_ns, CLONE_NEWNET);
	return take(req, spec, "empty_ns", "net");
}

int rpc_join_ns(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < rpc->n_join_ns; i++) {
		const JoinNamespace *ns = rpc->join_ns[i];
		_cleanup_buf_ struct buf value = { 0 };

		ret = buf_printf(&value, "%s:%s%s%s", ns->ns, ns->ns_file, ns->extra_opt ? "," : "",
				 ns->extra_opt ? ns->extra_opt : "");
		if (ret == 0)
			ret = take(req, spec, "join_ns", value.data);
	}
	return ret;
}

int rpc_veth_pairs(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	int ret = rpc->n_veths ? admit(req, spec, "veths") : 0;

	for (size_t i = 0; ret > 0 && i < rpc->n_veths; i++)
		if (str_pair_add(&req->opts.veth_pairs, &req->opts.veth_pairs_nr, rpc->veths[i]->if_in,
				 rpc->veths[i]->if_out) < 0)
			return -ENOMEM;
	return ret < 0 ? ret : 0;
}

/* A key may contain a colon, and `auto` is a path like any other here. */
int rpc_ext_mounts(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	int ret = rpc->n_ext_mnt ? admit(req, spec, "ext_mnt") : 0;

	for (size_t i = 0; ret > 0 && i < rpc->n_ext_mnt; i++)
		if (str_pair_add(&req->opts.ext_mounts, &req->opts.ext_mounts_nr, rpc->ext_mnt[i]->key,
				 rpc->ext_mnt[i]->val) < 0)
			return -ENOMEM;
	if (ret >= 0 && rpc->has_auto_ext_mnt && rpc->auto_ext_mnt)
		ret = take(req, spec, "auto_ext_mnt", "auto");
	return ret < 0 ? ret : 0;
}

int rpc_manage_cgroups(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	const struct mode *mode;

	if (!rpc->has_manage_cgroups_mode)
		return rpc->has_manage_cgroups ?
			       take(req, spec, "manage_cgroups", rpc->manage_cgroups ? "soft" : "ignore") :
			       0;
	mode = mode_by_rpc(&cgroup_modes, (int)rpc->manage_cgroups_mode);
	if (!mode)
		return request_refuse(req, "manage_cgroups_mode: %d: invalid value", (int)rpc->manage_cgroups_mode);
	return take(req, spec, "manage_cgroups_mode", mode->word);
}

int rpc_cgroup_roots(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < rpc->n_cg_root; i++) {
		const CgroupRoot *root = rpc->cg_root[i];
		const char *ctrl = root->ctrl ? root->ctrl : "";
		_cleanup_buf_ struct buf value = { 0 };

		ret = buf_printf(&value, "%s%s%s", ctrl, *ctrl ? ":" : "", root->path);
		if (ret == 0)
			ret = take(req, spec, "cg_root", value.data);
	}
	return ret;
}

/* Clients that mean "everything" send undefined bits. The field itself implies the image. */
int rpc_cpu_cap(struct request *req, const struct option_spec *spec, const CriuOpts *rpc)
{
	uint32_t caps = CPU_CAP_IMAGE;

	if (!rpc->has_cpu_cap || !option_applies(req, spec))
		return 0;
	for (size_t i = 0; i < cpu_cap_modes.n; i++)
		if (cpu_cap_modes.v[i].rpc > 0 && rpc->cpu_cap & (uint32_t)cpu_cap_modes.v[i].rpc)
			caps |= (uint32_t)cpu_cap_modes.v[i].ours;
	req->opts.cpu_cap = caps;
	return 0;
}
