// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsers of option arguments that are not plain strings. Each returns 0, -EINVAL for an invalid value, -EOPNOTSUPP or
 * -ENOMEM.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "request/modes.h"
#include "request/option_values.h"
#include "request/request.h"
#include "util/log.h"
#include "util/str.h"

/* A decimal number up to @max, without trailing characters. */
static int number(const char *arg, uint64_t max, uint64_t *ret_v)
{
	uint64_t v;

	if (parse_u64(arg, &v) < 0 || v > max)
		return -EINVAL;
	*ret_v = v;
	return 0;
}

int value_pid(struct request *req, const char *arg)
{
	uint64_t v;

	if (number(arg, INT_MAX, &v) < 0 || v == 0)
		return -EINVAL;
	req->opts.pid = (pid_t)v;
	return 0;
}

/* -v adds one, -vv two, -v4 and --verbosity=4 set it. */
int value_verbosity(struct request *req, const char *arg)
{
	uint64_t v;

	if (!arg) {
		req->opts.log_level++;
	} else if (arg[strspn(arg, "v")] == 0) {
		req->opts.log_level += 1 + (int)strlen(arg);
	} else {
		if (number(arg, INT_MAX, &v) < 0)
			return -EINVAL;
		req->opts.log_level = (int)MIN_OF(v, (uint64_t)LOG_DEBUG);
	}
	if (req->opts.log_level > LOG_DEBUG)
		req->opts.log_level = LOG_DEBUG;
	return 0;
}

int value_timeout(struct request *req, const char *arg)
{
	uint64_t v;

	if (number(arg, UINT_MAX / 1000, &v) < 0)
		return -EINVAL;
	req->opts.timeout_sec = (unsigned int)v;
	return 0;
}

/* A number of bytes, with an optional suffix K, M or G. */
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

int value_ghost_limit(struct request *req, const char *arg)
{
	return bytes(arg, &req->opts.ghost_limit);
}

int value_tmpfs_files(struct request *req, const char *arg)
{
	req->opts.tmpfs_files = true;
	return arg ? bytes(arg, &req->opts.tmpfs_limit) : 0;
}

/* Calls @each for each word of a comma-separated list. */
static int each_word(struct request *req, const char *arg, int (*each)(struct request *req, const char *word))
{
	char *copy = strdup(arg), *rest = copy, *word;
	int ret = 0;

	if (!copy)
		return -ENOMEM;
	while (ret == 0 && (word = strsep(&rest, ",")))
		ret = each(req, word);
	free(copy);
	return ret;
}

static int cpu_cap_word(struct request *req, const char *word)
{
	const struct mode *cap = mode_by_word(&cpu_cap_modes, word);

	if (!cap)
		return -EINVAL;
	req->opts.cpu_cap = cap->ours == CPU_CAP_NONE ? CPU_CAP_NONE : req->opts.cpu_cap | (uint32_t)cap->ours;
	return 0;
}

int value_cpu_cap(struct request *req, const char *arg)
{
	if (!arg) {
		req->opts.cpu_cap = CPU_CAP_ALL;
		return 0;
	}
	req->opts.cpu_cap = CPU_CAP_NONE;
	return each_word(req, arg, cpu_cap_word);
}

static int ext_unix_word(struct request *req, const char *word)
{
	uint64_t inode;

	if (number(word, UINT32_MAX, &inode) < 0 || inode == 0)
		return -EINVAL;
	return str_list_add(&req->opts.ext_unix_inodes, word);
}

int value_ext_unix_sk(struct request *req, const char *arg)
{
	req->opts.ext_unix_sk = true;
	return arg ? each_word(req, arg, ext_unix_word) : 0;
}

/* fd[N]:KEY */
int value_inherit_fd(struct request *req, const char *arg)
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
	return options_add_inherit(&req->opts, (int)fd, end + 2);
}

int value_external(struct request *req, const char *arg)
{
	static const char *const types[] = { "file[", "tty[",  "pipe[",	   "pipe:[", "unix[", "mnt[",
					     "dev[",  "veth[", "macvlan[", "pid[",   "net[",  "overlay[" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_has_prefix(arg, types[i]) && strchr(arg, ']'))
			return str_list_add(&req->opts.externals, arg);
	/* CRIU takes anything here, and lxc passes `console:`. What is not external in the end is refused as ever. */
	request_warn(req, "--external '%s': not a resource; it is ignored", arg);
	return 0;
}

int value_manage_cgroups(struct request *req, const char *arg)
{
	const struct mode *mode = mode_by_word(&cgroup_modes, arg ? arg : "default");

	if (!mode)
		return -EINVAL;
	req->opts.cgroup_mode = (enum cgroup_mode)mode->ours;
	return 0;
}

int value_untrusted_images(struct request *req, const char *arg)
{
	uint64_t v;

	/* The last number means "no change" in system calls. */
	if (number(arg, UINT32_MAX - 1, &v) < 0 || v == 0)
		return -EINVAL;
	req->opts.images_user = (uid_t)v;
	req->opts.has_images_user = true;
	return 0;
}

int value_port(struct request *req, const char *arg)
{
	uint64_t v;

	if (number(arg, UINT16_MAX, &v) < 0 || v == 0)
		return -EINVAL;
	req->opts.port = (uint16_t)v;
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

int value_ps_socket(struct request *req, const char *arg)
{
	return descriptor(arg, &req->opts.ps_socket);
}

int value_compress(struct request *req, const char *arg)
{
	if (arg && strcmp(arg, "lz4") && strcmp(arg, "zstd"))
		return -EINVAL;
	req->opts.compress = arg && arg[0] == 'z' ? COMPRESS_ZSTD : COMPRESS_LZ4;
	return 0;
}

int value_compress_block(struct request *req, const char *arg)
{
	uint64_t size = 0;

	if (bytes(arg, &size) || !size || size > COMPRESS_BLOCK_MAX || size % PAGE_SZ)
		return -EINVAL;
	req->opts.compress_block = (uint32_t)size;
	return 0;
}

int value_compress_acceleration(struct request *req, const char *arg)
{
	uint64_t n = 0;

	if (number(arg, 65537, &n) || !n)
		return -EINVAL;
	req->opts.compress_acceleration = (uint32_t)n;
	return 0;
}

int value_restores(struct request *req, const char *arg)
{
	if (number(arg, 1000000, &req->opts.restores))
		return -EINVAL;
	req->opts.several = true;
	return 0;
}

/* Hexadecimal, with or without 0x; *@to is what follows. */
static int address(const char *text, const char **to, uint64_t *ret)
{
	char *end;

	if (!isxdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 16);
	*to = end;
	return errno || *ret % PAGE_SZ ? -EINVAL : 0;
}

/* They stay sorted. */
int value_exclude_memory(struct request *req, const char *arg)
{
	struct options *opts = &req->opts;
	struct memory_range r, *all;
	char *colon;
	long pid = strtol(arg, &colon, 10);
	const char *at = colon + 1;
	size_t i = opts->excluded_nr;

	if (*colon != ':' || colon == arg || pid <= 0 || pid > INT_MAX || address(at, &at, &r.start) || *at != '-' ||
	    address(at + 1, &at, &r.end) || *at || r.start >= r.end)
		return -EINVAL;
	r.pid = (pid_t)pid;
	all = reallocarray(opts->excluded, i + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (; i > 0 && all[i - 1].start > r.start; i--)
		all[i] = all[i - 1];
	all[i] = r;
	opts->excluded = all;
	opts->excluded_nr++;
	return 0;
}

int value_decompress_threads(struct request *req, const char *arg)
{
	uint64_t n = 0;

	if (number(arg, 1024, &n))
		return -EINVAL;
	req->opts.decompress_threads = (uint32_t)n;
	return 0;
}

int value_stream(struct request *req, const char *arg)
{
	if (arg && strcmp(arg, "-"))
		return -EINVAL;
	req->opts.stream = arg ? STREAM_BY_STDIO : STREAM_BY_SOCKET;
	return 0;
}

int value_status_fd(struct request *req, const char *arg)
{
	return descriptor(arg, &req->opts.status_fd);
}

int value_empty_ns(struct request *req, const char *arg)
{
	if (!str_eq(arg, "net"))
		return -EINVAL;
	req->opts.empty_netns = true;
	return 0;
}

/* Splits @arg at the first @sep; the first part is not empty. */
static int pair(struct str_pair **v, size_t *n, const char *arg, char sep)
{
	const char *at = strchr(arg, sep);
	char *key;
	int ret;

	if (!at || at == arg)
		return -EINVAL;
	key = strndup(arg, (size_t)(at - arg));
	if (!key)
		return -ENOMEM;
	ret = str_pair_add(v, n, key, at + 1);
	free(key);
	return ret;
}

int value_veth_pair(struct request *req, const char *arg)
{
	if (str_has_suffix(arg, "="))
		return -EINVAL;
	return pair(&req->opts.veth_pairs, &req->opts.veth_pairs_nr, arg, '=');
}

/* Of one family, and neither of them any address; one of IPv4 stands for itself in IPv6 sockets, too. */
int value_tcp_address(struct request *req, const char *arg)
{
	struct options *opts = &req->opts;
	static const struct in6_addr any;
	const struct str_pair *added;
	struct in6_addr old, new;
	int family = strchr(arg, ':') ? AF_INET6 : AF_INET,
	    err = pair(&opts->tcp_addresses, &opts->tcp_addresses_nr, arg, '=');
	size_t len = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);

	if (err)
		return err;
	added = &opts->tcp_addresses[opts->tcp_addresses_nr - 1];
	if (inet_pton(family, added->key, &old) != 1 || inet_pton(family, added->val, &new) != 1 ||
	    !memcmp(&old, &any, len) || !memcmp(&new, &any, len) ||
	    (family == AF_INET6 && (IN6_IS_ADDR_V4MAPPED(&old) || IN6_IS_ADDR_V4MAPPED(&new))))
		return -EINVAL;
	return 0;
}

/* NS:PID, NS:FILE: restore/join.c */
int value_join_ns(struct request *req, const char *arg)
{
	const char *at = strchr(arg, ':');

	return !at || at == arg || !at[1] ? -EINVAL : str_list_add(&req->opts.join_ns, arg);
}

/* lxc passes an empty path for the console of a container that has none. */
int value_ext_mount(struct request *req, const char *arg)
{
	if (str_eq(arg, "auto"))
		return str_list_add(&req->opts.externals, "mnt[]");
	return pair(&req->opts.ext_mounts, &req->opts.ext_mounts_nr, arg, ':');
}

int value_socket_mode(struct request *req, const char *arg)
{
	char *end;
	unsigned long mode = strtoul(arg, &end, 8);

	if (!*arg || *end || mode > 0777 || arg[strspn(arg, "01234567")])
		return -EINVAL;
	req->opts.socket_mode = (mode_t)mode;
	return 0;
}

int value_close(struct request *req, const char *arg)
{
	int fd, ret = descriptor(arg, &fd);

	if (ret < 0 || req->again)
		return ret;
	close(fd);
	return 0;
}

/* For options that the parser itself handles. */
int value_nothing(struct request *req, const char *arg)
{
	return 0;
}
