// SPDX-License-Identifier: LGPL-2.1-only
/* Options that collect values. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* clang-format off */
#define OF_PROCESS(function)                                               \
	int criu_##function(const char *value)                             \
	{                                                                  \
		return criu_local_##function(opts_of_process(), value);    \
	}

#define STRINGS(function, field)                                           \
	int criu_local_##function(criu_opts *opts, const char *value)      \
	{                                                                  \
		if (!opts)                                                 \
			return -EINVAL;                                    \
		return add_string(&opts->rpc->field, &opts->rpc->n_##field, value); \
	}
/* clang-format on */

static int grow(void **array, size_t used)
{
	void *grown = reallocarray(*array, used + 1, sizeof(void *));

	if (!grown)
		return -ENOMEM;
	*array = grown;
	return 0;
}

static int add_string(char ***array, size_t *used, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (!value)
		return -EINVAL;
	if (!copy || grow((void **)array, *used)) {
		free(copy);
		return -ENOMEM;
	}
	(*array)[(*used)++] = copy;
	return 0;
}

/* Takes the message, whose strings could be copied or not. */
static int add_message(void **array, size_t *used, ProtobufCMessage *message, bool complete)
{
	if (!complete || grow(array, *used)) {
		protobuf_c_message_free_unpacked(message, NULL);
		return -ENOMEM;
	}
	((void **)*array)[(*used)++] = message;
	return 0;
}

static void *new_message(const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = malloc(descriptor->sizeof_message);

	if (message)
		protobuf_c_message_init(descriptor, message);
	return message;
}

STRINGS(add_enable_fs, enable_fs)
STRINGS(add_skip_mnt, skip_mnt)
STRINGS(add_irmap_path, irmap_scan_paths)
STRINGS(add_external, external)
STRINGS(add_cg_dump_controller, cgroup_dump_controller)

OF_PROCESS(add_enable_fs)
OF_PROCESS(add_skip_mnt)
OF_PROCESS(add_irmap_path)
OF_PROCESS(add_external)

int criu_local_add_unix_sk(criu_opts *opts, unsigned int inode)
{
	UnixSk *sk;

	if (!opts)
		return -EINVAL;
	if (opts->rpc->has_ext_unix_sk && !opts->rpc->ext_unix_sk)
		return -1; /* style: the result in CRIU 4.2 */
	sk = new_message(&unix_sk__descriptor);
	if (!sk)
		return -ENOMEM;
	sk->inode = inode;
	if (add_message((void **)&opts->rpc->unix_sk_ino, &opts->rpc->n_unix_sk_ino, &sk->base, true))
		return -ENOMEM;
	opts->rpc->has_ext_unix_sk = true;
	opts->rpc->ext_unix_sk = true;
	return 0;
}

int criu_add_unix_sk(unsigned int inode)
{
	return criu_local_add_unix_sk(opts_of_process(), inode);
}

int criu_local_add_ext_mount(criu_opts *opts, const char *key, const char *val)
{
	ExtMountMap *map;

	if (!opts || !key || !val)
		return -EINVAL;
	map = new_message(&ext_mount_map__descriptor);
	if (!map)
		return -ENOMEM;
	map->key = strdup(key);
	map->val = strdup(val);
	return add_message((void **)&opts->rpc->ext_mnt, &opts->rpc->n_ext_mnt, &map->base, map->key && map->val);
}

int criu_add_ext_mount(const char *key, const char *val)
{
	return criu_local_add_ext_mount(opts_of_process(), key, val);
}

int criu_local_add_veth_pair(criu_opts *opts, const char *in, const char *out)
{
	CriuVethPair *pair;

	if (!opts || !in || !out)
		return -EINVAL;
	pair = new_message(&criu_veth_pair__descriptor);
	if (!pair)
		return -ENOMEM;
	pair->if_in = strdup(in);
	pair->if_out = strdup(out);
	return add_message((void **)&opts->rpc->veths, &opts->rpc->n_veths, &pair->base, pair->if_in && pair->if_out);
}

int criu_add_veth_pair(const char *in, const char *out)
{
	return criu_local_add_veth_pair(opts_of_process(), in, out);
}

int criu_local_add_cg_root(criu_opts *opts, const char *ctrl, const char *path)
{
	CgroupRoot *root;

	if (!opts || !path)
		return -EINVAL;
	root = new_message(&cgroup_root__descriptor);
	if (!root)
		return -ENOMEM;
	root->path = strdup(path);
	root->ctrl = ctrl ? strdup(ctrl) : NULL;
	return add_message((void **)&opts->rpc->cg_root, &opts->rpc->n_cg_root, &root->base,
			   root->path && (root->ctrl || !ctrl));
}

int criu_add_cg_root(const char *ctrl, const char *path)
{
	return criu_local_add_cg_root(opts_of_process(), ctrl, path);
}

int criu_local_join_ns_add(criu_opts *opts, const char *ns, const char *ns_file, const char *extra_opt)
{
	JoinNamespace *join;

	if (!opts || !ns || !ns_file)
		return -EINVAL;
	join = new_message(&join_namespace__descriptor);
	if (!join)
		return -ENOMEM;
	join->ns = strdup(ns);
	join->ns_file = strdup(ns_file);
	join->extra_opt = extra_opt ? strdup(extra_opt) : NULL;
	return add_message((void **)&opts->rpc->join_ns, &opts->rpc->n_join_ns, &join->base,
			   join->ns && join->ns_file && (join->extra_opt || !extra_opt));
}

int criu_join_ns_add(const char *ns, const char *ns_file, const char *extra_opt)
{
	return criu_local_join_ns_add(opts_of_process(), ns, ns_file, extra_opt);
}

/* Only a program that we start inherits our descriptors. */
int criu_local_add_inherit_fd(criu_opts *opts, int fd, const char *key)
{
	InheritFd *inherit;

	if (!opts || !key)
		return -EINVAL;
	if (opts->comm != CRIU_COMM_BIN)
		return -1; /* style: the result in CRIU 4.2 */
	inherit = new_message(&inherit_fd__descriptor);
	if (!inherit)
		return -ENOMEM;
	inherit->fd = fd;
	inherit->key = strdup(key);
	return add_message((void **)&opts->rpc->inherit_fd, &opts->rpc->n_inherit_fd, &inherit->base,
			   inherit->key != NULL);
}

int criu_add_inherit_fd(int fd, const char *key)
{
	return criu_local_add_inherit_fd(opts_of_process(), fd, key);
}

static void free_strings(char **strings, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		free(strings[i]);
	free(strings);
}

int criu_local_set_exec_cmd(criu_opts *opts, int argc, char *argv[])
{
	char **words = NULL;
	size_t nr = 0;

	if (!opts || argc < 0)
		return -EINVAL;
	for (int i = 0; i < argc; i++) {
		int err = add_string(&words, &nr, argv[i]);

		if (err) {
			free_strings(words, nr);
			return err;
		}
	}
	free_strings(opts->rpc->exec_cmd, opts->rpc->n_exec_cmd);
	opts->rpc->exec_cmd = words;
	opts->rpc->n_exec_cmd = nr;
	return 0;
}

int criu_set_exec_cmd(int argc, char *argv[])
{
	return criu_local_set_exec_cmd(opts_of_process(), argc, argv);
}
