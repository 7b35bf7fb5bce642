// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of options that are more than a string. Each returns 0, -EINVAL for a bad value, or -ENOMEM. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "util/log.h"
#include "util/str.h"

/* A decimal number up to @max, and all of @arg is part of it. */
static int number(const char *arg, uint64_t max, uint64_t *ret_v)
{
	uint64_t v;

	if (parse_u64(arg, &v) < 0 || v > max)
		return -EINVAL;
	*ret_v = v;
	return 0;
}

/* Place of @arg in @names, or -EINVAL. */
static int word_of(const char *arg, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(arg, names[i]))
			return (int)i;
	return -EINVAL;
}

int value_pid(struct options *opts, const char *arg)
{
	uint64_t v;

	if (number(arg, INT_MAX, &v) < 0 || v == 0)
		return -EINVAL;
	opts->pid = (pid_t)v;
	return 0;
}

/* -v one more, -vv two more, -v4 and --verbosity=4 set it. */
int value_verbosity(struct options *opts, const char *arg)
{
	uint64_t v;

	if (!arg) {
		opts->log_level++;
	} else if (arg[strspn(arg, "v")] == 0) {
		opts->log_level += 1 + (int)strlen(arg);
	} else {
		if (number(arg, INT_MAX, &v) < 0)
			return -EINVAL;
		opts->log_level = (int)MIN_OF(v, (uint64_t)LOG_DEBUG);
	}
	if (opts->log_level > LOG_DEBUG)
		opts->log_level = LOG_DEBUG;
	return 0;
}

int value_timeout(struct options *opts, const char *arg)
{
	uint64_t v;

	if (number(arg, UINT_MAX / 1000, &v) < 0)
		return -EINVAL;
	opts->timeout_sec = (unsigned int)v;
	return 0;
}

/* Bytes, with K, M or G behind. */
static int bytes(const char *arg, uint64_t *ret)
{
	static const char units[] = "KMG";
	size_t len = strlen(arg);
	const char *unit = NULL;
	unsigned int shift = 0;
	char digits[32];
	uint64_t v;

	if (len == 0 || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, arg, len + 1);
	unit = strchr(units, digits[len - 1] & ~0x20);
	if (unit) {
		shift = 10 * (unsigned int)(unit - units + 1);
		digits[len - 1] = 0;
	}
	if (number(digits, UINT64_MAX >> shift, &v) < 0)
		return -EINVAL;
	*ret = v << shift;
	return 0;
}

int value_ghost_limit(struct options *opts, const char *arg)
{
	return bytes(arg, &opts->ghost_limit);
}

int value_tmpfs_files(struct options *opts, const char *arg)
{
	opts->tmpfs_files = true;
	return arg ? bytes(arg, &opts->tmpfs_limit) : 0;
}

int value_file_validation(struct options *opts, const char *arg)
{
	static const char *const names[] = { [VALIDATE_BUILDID] = "buildid", [VALIDATE_FILESIZE] = "filesize" };
	int i = word_of(arg, names, ARRAY_SIZE(names));

	if (i < 0)
		return i;
	opts->file_validation = (enum file_validation)i;
	return 0;
}

/* Words between commas, each given to @each. */
static int each_word(struct options *opts, const char *arg, int (*each)(struct options *opts, const char *word))
{
	char *copy = strdup(arg), *rest = copy, *word;
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	while (ret == 0 && (word = strsep(&rest, ",")))
		ret = each(opts, word);
	free(copy);
	return ret;
}

static int cpu_cap_word(struct options *opts, const char *word)
{
	static const struct {
		const char *name;
		uint32_t bits;
	} caps[] = {
		{ "fpu", CPU_CAP_FPU }, { "cpu", CPU_CAP_CPU },	    { "ins", CPU_CAP_INS },
		{ "all", CPU_CAP_ALL }, { "image", CPU_CAP_IMAGE },
	};

	if (str_eq(word, "none")) {
		opts->cpu_cap = CPU_CAP_NONE;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		if (str_eq(word, caps[i].name)) {
			opts->cpu_cap |= caps[i].bits;
			return 0;
		}
	}
	return -EINVAL;
}

int value_cpu_cap(struct options *opts, const char *arg)
{
	if (!arg) {
		opts->cpu_cap = CPU_CAP_ALL;
		return 0;
	}
	opts->cpu_cap = CPU_CAP_NONE;
	return each_word(opts, arg, cpu_cap_word);
}

static int ext_unix_word(struct options *opts, const char *word)
{
	uint64_t inode;

	if (number(word, UINT32_MAX, &inode) < 0 || inode == 0)
		return -EINVAL;
	return str_list_add(&opts->ext_unix_inodes, word);
}

int value_ext_unix_sk(struct options *opts, const char *arg)
{
	opts->ext_unix_sk = true;
	return arg ? each_word(opts, arg, ext_unix_word) : 0;
}

/* fd[N]:KEY */
int value_inherit_fd(struct options *opts, const char *arg)
{
	const char *end = strstr(arg, "]:");
	char digits[16];
	uint64_t fd;
	size_t len;

	if (!str_has_prefix(arg, "fd[") || !end || !end[2])
		return -EINVAL;
	len = (size_t)(end - arg) - 3;
	if (len == 0 || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, arg + 3, len);
	digits[len] = 0;
	if (number(digits, INT_MAX, &fd) < 0)
		return -EINVAL;
	return options_add_inherit(opts, (int)fd, end + 2);
}

int value_external(struct options *opts, const char *arg)
{
	/* Those that are built; mnt, dev, net and pid come with namespaces. */
	static const char *const types[] = { "file[", "tty[", "pipe[", "pipe:[", "unix[" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_has_prefix(arg, types[i]) && strchr(arg, ']'))
			return str_list_add(&opts->externals, arg);
	return -EINVAL;
}

int value_network_lock(struct options *opts, const char *arg)
{
	static const char *const names[] = {
		[NETWORK_LOCK_IPTABLES] = "iptables",
		[NETWORK_LOCK_NFTABLES] = "nftables",
		[NETWORK_LOCK_SKIP] = "skip",
	};
	int i = word_of(arg, names, ARRAY_SIZE(names));

	if (i < 0)
		return i;
	opts->network_lock = (enum network_lock)i;
	return 0;
}

int value_pre_dump_mode(struct options *opts, const char *arg)
{
	static const char *const names[] = { [PRE_DUMP_SPLICE] = "splice", [PRE_DUMP_READ] = "read" };
	int i = word_of(arg, names, ARRAY_SIZE(names));

	if (i < 0)
		return i;
	opts->pre_dump_mode = (enum pre_dump_mode)i;
	return 0;
}

int value_manage_cgroups(struct options *opts, const char *arg)
{
	static const char *const names[] = {
		[CGROUP_MODE_IGNORE] = "ignore",   [CGROUP_MODE_NONE] = "cg-none", [CGROUP_MODE_PROPS] = "props",
		[CGROUP_MODE_SOFT] = "soft",	   [CGROUP_MODE_FULL] = "full",	   [CGROUP_MODE_STRICT] = "strict",
		[CGROUP_MODE_DEFAULT] = "default",
	};
	int i = arg ? word_of(str_eq(arg, "none") ? "cg-none" : arg, names, ARRAY_SIZE(names)) : CGROUP_MODE_DEFAULT;

	if (i < 0)
		return i;
	if (i != CGROUP_MODE_IGNORE && i != CGROUP_MODE_NONE)
		return -EOPNOTSUPP;
	if (i == CGROUP_MODE_NONE)
		usage_error("warning: cgroups are not implemented: restored tasks stay in the cgroup of criu");
	opts->cgroup_mode = (enum cgroup_mode)i;
	opts->manage_cgroups = i != CGROUP_MODE_IGNORE;
	return 0;
}

int value_untrusted_images(struct options *opts, const char *arg)
{
	uint64_t v;

	/* The last number stands for "no change" in system calls. */
	if (number(arg, UINT32_MAX - 1, &v) < 0 || v == 0)
		return -EINVAL;
	opts->images_user = (uid_t)v;
	opts->has_images_user = true;
	return 0;
}

int value_port(struct options *opts, const char *arg)
{
	uint64_t v;

	if (number(arg, UINT16_MAX, &v) < 0 || v == 0)
		return -EINVAL;
	opts->port = (uint16_t)v;
	return 0;
}

static int descriptor(const char *arg, int *ret_fd)
{
	uint64_t v;

	if (number(arg, INT_MAX, &v) < 0)
		return -EINVAL;
	*ret_fd = (int)v;
	return 0;
}

int value_ps_socket(struct options *opts, const char *arg)
{
	return descriptor(arg, &opts->ps_socket);
}

int value_status_fd(struct options *opts, const char *arg)
{
	return descriptor(arg, &opts->status_fd);
}

int value_empty_ns(struct options *opts, const char *arg)
{
	if (!str_eq(arg, "net"))
		return -EINVAL;
	opts->empty_netns = true;
	return 0;
}

/* @arg split at the first @sep into two parts that are not empty. */
static int pair(struct str_pair **v, size_t *n, const char *arg, char sep)
{
	const char *at = strchr(arg, sep);
	char *key;
	int ret;

	if (!at || at == arg || !at[1])
		return -EINVAL;
	key = strndup(arg, (size_t)(at - arg));
	if (!key)
		return -ENOMEM;
	ret = str_pair_add(v, n, key, at + 1);
	free(key);
	return ret;
}

int value_veth_pair(struct options *opts, const char *arg)
{
	return pair(&opts->veth_pairs, &opts->veth_pairs_nr, arg, '=');
}

int value_ext_mount(struct options *opts, const char *arg)
{
	if (str_eq(arg, "auto"))
		return str_list_add(&opts->externals, "mnt[]");
	return pair(&opts->ext_mounts, &opts->ext_mounts_nr, arg, ':');
}

int value_close(struct options *opts, const char *arg)
{
	int fd, ret = descriptor(arg, &fd);

	if (ret < 0)
		return ret;
	close(fd);
	return 0;
}

/* What an option means is told by the parser itself. */
int value_nothing(struct options *opts, const char *arg)
{
	return 0;
}
