// SPDX-License-Identifier: GPL-2.0-only
/* Default values of the options, and lists. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run/options.h"

int str_list_add(struct str_list *list, const char *s)
{
	char *copy = strdup(s);
	char **v;

	if (!copy)
		return -ENOMEM;
	v = reallocarray(list->v, list->n + 2, sizeof(*v));
	if (!v) {
		free(copy);
		return -ENOMEM;
	}
	v[list->n++] = copy;
	v[list->n] = NULL;
	list->v = v;
	return 0;
}

void str_list_free(struct str_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct str_list){ 0 };
}

int str_pair_add(struct str_pair **v, size_t *n, const char *key, const char *val)
{
	struct str_pair *grown = reallocarray(*v, *n + 1, sizeof(**v));
	struct str_pair *pair;

	if (!grown)
		return -ENOMEM;
	*v = grown;
	pair = &grown[*n];
	pair->key = strdup(key);
	pair->val = strdup(val);
	if (!pair->key || !pair->val) {
		free(pair->key);
		free(pair->val);
		return -ENOMEM;
	}
	(*n)++;
	return 0;
}

static void str_pairs_free(struct str_pair *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].key);
		free(v[i].val);
	}
	free(v);
}

int options_add_inherit(struct options *opts, int fd, const char *key)
{
	struct inherit_fd *grown = reallocarray(opts->inherit, opts->inherit_nr + 1, sizeof(*grown));
	char *copy;

	if (!grown)
		return -ENOMEM;
	opts->inherit = grown;
	copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	grown[opts->inherit_nr++] = (struct inherit_fd){ .key = copy, .fd = fd };
	return 0;
}

int options_init(struct options *opts)
{
	*opts = (struct options){
		.images_dir = strdup("."),
		.images_dir_fd = -1,
		.stream_fd = -1,
		.compress_block = COMPRESS_BLOCK_DEFAULT,
		.compress_acceleration = 1,
		.work_dir_fd = -1,
		.log_level = 2,
		.timeout_sec = TIMEOUT_SEC_DEFAULT,
		.ghost_limit = GHOST_LIMIT_DEFAULT,
		.tmpfs_limit = TMPFS_LIMIT_DEFAULT,
		.cpu_cap = CPU_CAP_DEFAULT,
		.network_lock = NETWORK_LOCK_DEFAULT,
		.socket_mode = 0600,
		.ps_socket = -1,
		.status_fd = -1,
	};
	return opts->images_dir ? 0 : -ENOMEM;
}

void options_free(struct options *opts)
{
	char **strings[] = {
		&opts->images_dir,
		&opts->work_dir,
		&opts->root,
		&opts->libdir,
		&opts->parent_dir,
		&opts->pidfile,
		&opts->config_file,
		&opts->log_file,
		&opts->address,
		&opts->freeze_cgroup,
		&opts->tls_cacert,
		&opts->tls_cacrl,
		&opts->tls_cert,
		&opts->tls_key,
		&opts->cgroup_props,
		&opts->cgroup_props_file,
		&opts->cgroup_yard,
		&opts->lsm_profile,
		&opts->lsm_mount_context,
	};
	struct str_list *lists[] = {
		&opts->given,		&opts->exec_cmd,	 &opts->externals,
		&opts->ext_unix_inodes, &opts->irmap_scan_paths, &opts->join_ns,
		&opts->skip_mnt,	&opts->enable_fs,	 &opts->cgroup_roots,
		&opts->action_scripts,	&opts->features,	 &opts->cgroup_dump_controllers,
	};

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		free(*strings[i]);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		str_list_free(lists[i]);
	for (size_t i = 0; i < opts->inherit_nr; i++)
		free(opts->inherit[i].key);
	free(opts->inherit);
	free(opts->excluded);
	str_pairs_free(opts->veth_pairs, opts->veth_pairs_nr);
	str_pairs_free(opts->tcp_addresses, opts->tcp_addresses_nr);
	str_pairs_free(opts->ext_mounts, opts->ext_mounts_nr);
	*opts = (struct options){
		.images_dir_fd = -1, .work_dir_fd = -1, .ps_socket = -1, .status_fd = -1, .stream_fd = -1
	};
}
