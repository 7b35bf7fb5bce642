// SPDX-License-Identifier: GPL-2.0-only
#include "request/validate.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/cgroup_props.h"
#include "util/proc_root.h"
#include "util/str.h"

static int validate_cgroup_props(struct request *req)
{
	_cleanup_cgroup_props_ struct cgroup_props props = { 0 };
	const char *why = NULL;
	int err = cgroup_props_read(&req->opts, &props, &why);

	if (err == -EINVAL && why)
		return request_refuse(req, "--cgroup-props, --cgroup-props-file: invalid value: %s", why);
	if (err)
		return request_refuse(req, "--cgroup-props-file %s: %s", req->opts.cgroup_props_file, strerror(-err));
	return 0;
}

static int validate_peer(struct request *req)
{
	const struct options *opts = &req->opts;

	if (!opts->tls &&
	    (opts->tls_cacert || opts->tls_cacrl || opts->tls_cert || opts->tls_key || opts->tls_no_cn_verify))
		return request_refuse(req, "--tls-* need --tls: without it the pages would not be encrypted");

	if (opts->ps_socket >= 0 && (opts->address || opts->port))
		return request_refuse(req,
				      "--ps-socket is connected already: --address and --port are impossible with it");
	if (opts->ps_socket >= 0 && fcntl(opts->ps_socket, F_GETFD) < 0)
		return request_refuse(req, "--ps-socket %d: the descriptor is not open", opts->ps_socket);
	return 0;
}

/* Whoever starts it in the background, or without a port, has to learn its pid or port in another way. */
static int validate_page_server(struct request *req)
{
	int err = validate_peer(req);

	if (!err && req->opts.ps_socket >= 0 && req->opts.ps_socket <= STDERR_FILENO && req->opts.restore_detached)
		return request_refuse(req, "--ps-socket %d: a standard descriptor is closed by --daemon",
				      req->opts.ps_socket);
	return err;
}

static int validate_page_client(struct request *req)
{
	const struct options *opts = &req->opts;

	if (!opts->page_server)
		return 0;
	if (opts->ps_socket < 0 && !opts->port)
		return request_refuse(req, "--page-server needs --port (and --address), or --ps-socket");
	return validate_peer(req);
}

static int validate_share_pages(struct request *req)
{
	const struct options *opts = &req->opts;
	const char *other = opts->pre_dump    ? "pre-dump" :
			    opts->track_mem   ? "--track-mem" :
			    opts->parent_dir  ? "--prev-images-dir" :
			    opts->lazy_pages  ? "--lazy-pages" :
			    opts->page_server ? "--page-server" :
						NULL;

	if (!opts->share_pages || !other)
		return 0;
	return request_refuse(req, "--share-pages and %s are mutually exclusive: %s", other,
			      opts->lazy_pages || opts->page_server ?
				      "the protocol cannot refer to pages of another process" :
				      "incremental images cannot refer to pages of another process");
}

static int validate_direct(struct request *req)
{
	const struct options *opts = &req->opts;
	const char *other = opts->stream      ? "--stream" :
			    opts->page_server ? "--page-server" :
			    opts->compress    ? "--compress" :
						NULL;

	if (opts->image_io_mode != IMAGE_IO_DIRECT || !other)
		return 0;
	return request_refuse(req, "--image-io-mode direct and %s are mutually exclusive: %s", other,
			      opts->stream || opts->page_server ? "no pages images are written or read here" :
								  "compressed pages are not aligned");
}

/* What is excluded is in no images at all. */
static int validate_excluded(struct request *req)
{
	const struct options *opts = &req->opts;

	if (!opts->parent_dir || !(opts->skip_dontdump || opts->excluded_nr))
		return 0;
	return request_refuse(
		req,
		"%s and --prev-images-dir are mutually exclusive: a pre-dump, which reads memory while the "
		"program runs, may have saved what is to be excluded",
		opts->skip_dontdump ? "--skip-dontdump" : "--exclude-memory");
}

static int validate_dump(struct request *req)
{
	const struct options *opts = &req->opts;
	char pid[16];
	int err;

	if (!opts->pid)
		return request_refuse(req, "%s needs the pid of a process: criu %s -t PID", req->name, req->name);
	if (opts->pid == getpid() || opts->pid == getppid())
		return request_refuse(req, "-t %d is %s; criu cannot freeze itself or its parent", opts->pid,
				      opts->pid == getpid() ? "criu itself" : "the process that called criu");
	if (opts->lazy_pages && opts->page_server)
		return request_refuse(
			req, "--lazy-pages and --page-server are mutually exclusive: a lazy dump is the server");
	if (opts->compress && opts->lazy_pages)
		return request_refuse(req,
				      "--compress and --lazy-pages are mutually exclusive: pages that are not left out "
				      "would be compressed, which a lazy restore does not support");
	if (!opts->compress && (opts->compress_block != COMPRESS_BLOCK_DEFAULT || opts->compress_acceleration != 1))
		return request_refuse(req, "--compress-block and --compress-acceleration need --compress");
	if (opts->compress && opts->page_server)
		return request_refuse(
			req,
			"--compress and --page-server are mutually exclusive: the protocol has no compressed pages");
	if (opts->page_checksums && opts->compress)
		return request_refuse(
			req,
			"--page-checksums and --compress are mutually exclusive: blocks have checksums of their own");
	err = validate_share_pages(req);
	if (!err)
		err = validate_excluded(req);
	if (!err)
		err = validate_direct(req);
	if (err)
		return err;
	if (opts->leave_running && opts->leave_stopped)
		return request_refuse(req, "--leave-running and --leave-stopped are mutually exclusive");
	str_format(pid, sizeof(pid), "%d", opts->pid);
	if (faccessat(proc_root(), pid, F_OK, 0) < 0) {
		request_refuse(req, "-t %d: no such process", opts->pid);
		return -ESRCH;
	}
	/* A lazy dump is the server. */
	err = opts->lazy_pages ? validate_peer(req) : validate_page_client(req);
	return !err && (opts->cgroup_props || opts->cgroup_props_file) ? validate_cgroup_props(req) : err;
}

/* The tree goes on, and its writes are tracked: that is what it is for. */
static int validate_pre_dump(struct request *req)
{
	struct options *opts = &req->opts;

	opts->pre_dump = opts->track_mem = opts->leave_running = true;
	opts->leave_stopped = false;
	return validate_dump(req);
}

/* As execvp(3) would find it: a missing program is reported before the tree is created. */
static bool can_execute(const char *command)
{
	const char *dirs = getenv("PATH");
	char path[PATH_MAX];

	if (strchr(command, '/'))
		return faccessat(AT_FDCWD, command, X_OK, AT_EACCESS) == 0;
	for (const char *dir = dirs ? dirs : "/bin:/usr/bin"; *dir; dir += *dir == ':') {
		size_t len = strcspn(dir, ":");

		if (snprintf(path, sizeof(path), "%.*s/%s", len ? (int)len : 1, len ? dir : ".", command) <
			    (int)sizeof(path) &&
		    faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
			return true;
		dir += len;
	}
	return false;
}

/* [CTRL:]PATH */
static int validate_cgroup_roots(struct request *req)
{
	const struct str_list *roots = &req->opts.cgroup_roots;

	for (size_t i = 0; i < roots->n; i++) {
		const char *path = strchr(roots->v[i], '/');

		if (!path || (path > roots->v[i] && path[-1] != ':') || strstr(path, "/../") ||
		    str_has_suffix(path, "/.."))
			return request_refuse(
				req, "--cgroup-root '%s': invalid value; expected [CTRL:]PATH with an absolute path",
				roots->v[i]);
	}
	return 0;
}

/* Before any file of our own is opened, which would get a number that is free. */
static int validate_inherited(struct request *req)
{
	const struct options *opts = &req->opts;

	for (size_t i = 0; i < opts->inherit_nr; i++)
		if (fcntl(opts->inherit[i].fd, F_GETFD) < 0)
			return request_refuse(req, "--inherit-fd fd[%d]:%s: descriptor %d is not open",
					      opts->inherit[i].fd, opts->inherit[i].key, opts->inherit[i].fd);
	return 0;
}

static bool is_lsm_profile(const char *profile)
{
	const char *name = strchr(profile, ':');

	return (str_has_prefix(profile, "apparmor:") || str_has_prefix(profile, "selinux:")) && name[1] &&
	       !strchr(name, '\n');
}

static int validate_restore(struct request *req)
{
	struct options *opts = &req->opts;
	int err = validate_inherited(req);

	if (!err)
		err = validate_cgroup_roots(req);
	if (!err)
		err = validate_direct(req);
	if (err)
		return err;

	if (opts->lsm_profile && !is_lsm_profile(opts->lsm_profile))
		return request_refuse(req, "--lsm-profile %s: expected apparmor:PROFILE or selinux:CONTEXT",
				      opts->lsm_profile);
	if (opts->restore_sibling && !opts->restore_detached)
		return request_refuse(req, "--restore-sibling needs --restore-detached: criu cannot wait for a "
					   "sibling");
	if (opts->exec_cmd.n && opts->restore_detached)
		return request_refuse(
			req, "--exec-cmd and --restore-detached are mutually exclusive: the command is the tree's "
			     "parent");
	if (opts->exec_cmd.n && opts->restore_sibling)
		return request_refuse(req, "--exec-cmd and --restore-sibling are mutually exclusive");
	if (opts->exec_cmd.n && !can_execute(opts->exec_cmd.v[0]))
		return request_refuse(req, "--exec-cmd: no such program: %s", opts->exec_cmd.v[0]);
	if (opts->has_images_user && opts->shell_job)
		return request_refuse(
			req, "--untrusted-images and --shell-job are mutually exclusive: the user would get your "
			     "terminal");
	if (opts->lazy_pages && opts->auto_dedup)
		return request_refuse(req,
				      "--lazy-pages and --auto-dedup are mutually exclusive: pages that have not been "
				      "supplied yet would be freed");
	if (opts->has_images_user && opts->lazy_pages)
		return request_refuse(
			req,
			"--untrusted-images and --lazy-pages are mutually exclusive: userfaultfd needs rights that the user does not have");
	if (opts->has_images_user && opts->root)
		return request_refuse(
			req, "--untrusted-images and --root are mutually exclusive: the user may not change the root "
			     "directory");
	/* The command is the tree's parent and waits for it itself. */
	if (opts->exec_cmd.n)
		opts->restore_detached = true;
	return 0;
}

static int validate_check(struct request *req)
{
	const struct options *opts = &req->opts;

	if (opts->json && !opts->pid && !opts->check_images)
		return request_refuse(
			req,
			"--json needs a process tree or images: criu check -t PID --json, criu check -D DIR --json");
	if (!opts->pid && opts->check_images && !opts->features.n)
		return validate_inherited(req) ?: validate_cgroup_roots(req);
	return 0;
}

static int validate_stdio(struct request *req, bool writes)
{
	if (isatty(writes ? STDOUT_FILENO : STDIN_FILENO))
		return request_refuse(req,
				      "--stream -: the standard %s is a terminal; use a pipe: criu dump --stream "
				      "- ... | ssh HOST criu restore --stream -",
				      writes ? "output" : "input");
	if (writes && str_eq(req->opts.log_file, "-"))
		return request_refuse(req, "--log-file - and --stream - are mutually exclusive: both are written to "
					   "the standard output");
	return 0;
}

/* Each image is sent once, completely, and read forwards. */
static int validate_stream(struct request *req)
{
	const struct options *opts = &req->opts;
	const char *other = opts->page_server	  ? "--page-server" :
			    opts->lazy_pages	  ? "--lazy-pages" :
			    opts->auto_dedup	  ? "--auto-dedup" :
			    opts->has_images_user ? "--untrusted-images" :
						    NULL;

	if (other)
		return request_refuse(req, "--stream and %s are mutually exclusive", other);
	if (opts->stream == STREAM_BY_SOCKET && (req->command == CMD_PRE_DUMP || opts->parent_dir))
		return request_refuse(
			req, "%s through a streamer is not possible, as it takes the images of one dump: --stream -",
			opts->parent_dir ? "--prev-images-dir" : "pre-dump");
	return opts->stream == STREAM_BY_STDIO ? validate_stdio(req, req->command != CMD_RESTORE) : 0;
}

int request_validate(struct request *req)
{
	int err = req->opts.stream ? validate_stream(req) : 0;

	if (err)
		return err;
	switch (req->command) {
	case CMD_DUMP:
		return validate_dump(req);
	case CMD_PRE_DUMP:
		return validate_pre_dump(req);
	case CMD_RESTORE:
		return validate_restore(req);
	case CMD_LAZY_PAGES:
		return validate_page_client(req);
	case CMD_PAGE_SERVER:
		return validate_page_server(req);
	case CMD_CHECK:
		return validate_check(req);
	}
	return 0;
}
