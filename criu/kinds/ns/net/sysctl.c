// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sysctls of a network namespace that are not settings of devices in conf/. The format has a place for two of them; the others
 * are an extension: whatever files there are. /proc/sys/net shows those of the process that looks a file up.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "internal.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define ROOT "sys/net/"
#define PATH_ROOM 256
#define DEPTH_MAX 6

/* ---- dump ---- */

struct sysctls {
	struct dump *dump;
	NetnsEntry *entry;
	size_t cap;
	size_t conf_first, conf_end; /* of the family's conf/default in @entry->sysctl */
};

/* Those of the format, and what is saved elsewhere. */
static bool is_saved_otherwise(const char *path)
{
	bool in_array = false;

	return conf_has(path, &in_array) || in_array || str_eq(path, "ipv4/ping_group_range") ||
	       str_eq(path, "unix/max_dgram_qlen");
}

static int add(struct sysctls *s, const char *path, const char *value)
{
	NetSysctl *one = dump_alloc(s->dump, sizeof(*one));

	if (s->entry->n_sysctl == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 512;
		NetSysctl **v = dump_alloc(s->dump, cap * sizeof(NetSysctl *));

		if (!v)
			return fail(-ENOMEM, "sysctls");
		if (s->cap)
			memcpy(v, s->entry->sysctl, s->cap * sizeof(NetSysctl *));
		s->entry->sysctl = v;
		s->cap = cap;
	}
	if (!one)
		return fail(-ENOMEM, "sysctls");
	net_sysctl__init(one);
	one->path = dump_strdup(s->dump, path);
	one->value = dump_strdup(s->dump, value);
	if (!one->path || !one->value)
		return fail(-ENOMEM, "sysctls");
	s->entry->sysctl[s->entry->n_sysctl++] = one;
	return 0;
}

/* Files that only trigger something, or have no value yet, cannot be read. @dir: that of @path. */
static int save_one(struct sysctls *s, int dir, const char *path)
{
	_cleanup_buf_ struct buf text = { 0 };
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int err = is_saved_otherwise(path) ? -ENOENT : net_sysctl_read_at(dir, name, &text);

	if (err == -ENOENT || err == -EACCES || err == -EPERM || err == -EIO || err == -EOPNOTSUPP)
		return 0;
	return err ? fail(err, "read /proc/sys/net/%s", path) : add(s, path, text.data);
}

static bool is_dir_of_conf(const char *path)
{
	return str_eq(path, "ipv4/conf") || str_eq(path, "ipv6/conf");
}

/* neighbour_tables.c */
static bool is_of_neighbours(const char *path)
{
	return (str_has_prefix(path, "ipv4/neigh/") || str_has_prefix(path, "ipv6/neigh/")) &&
	       strcmp(path + strlen("ipv4/neigh/"), "default");
}

/* A device has the same files as `default`; those that rtnetlink reports are not opened. Listing all would cost more than that. */
static int save_conf_of_device(struct sysctls *s, const char *path)
{
	const char *family = path[3] == '4' ? "ipv4/conf/default/" : "ipv6/conf/default/";
	_cleanup_close_ int dir = net_sysctl_dir(path);
	int err = 0;

	/* The device is gone: what it is listed for in other places finds that. */
	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return fail(dir, "open /proc/sys/net/%s", path);
	for (size_t i = s->conf_first; !err && i < s->conf_end; i++) {
		char name[PATH_ROOM];

		err = str_format(name, sizeof(name), "%s/%s", path, s->entry->sysctl[i]->path + strlen(family));
		if (!err && !is_saved_otherwise(name))
			err = save_one(s, dir, name);
	}
	return err;
}

static int save_dir(struct sysctls *s, const char *path, int depth);

static int save_conf_default(struct sysctls *s, const char *path, int depth)
{
	char name[PATH_ROOM];
	int err = str_format(name, sizeof(name), "%s/default", path);

	s->conf_first = s->entry->n_sysctl;
	if (!err)
		err = save_dir(s, name, depth + 1);
	s->conf_end = s->entry->n_sysctl;
	return err;
}

static int save_subdir(struct sysctls *s, const char *path, const char *parent, int depth)
{
	const char *last = strrchr(path, '/');

	if (is_of_neighbours(path) || depth >= DEPTH_MAX)
		return 0;
	if (!is_dir_of_conf(parent) || str_eq(last, "/all"))
		return save_dir(s, path, depth + 1);
	return str_eq(last, "/default") ? 0 : save_conf_of_device(s, path);
}

static int save_dir(struct sysctls *s, const char *path, int depth)
{
	int fd = open_fmt(proc_root(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, ROOT "%s", path), err = 0;
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	if (!dir)
		return fail(fd < 0 ? fd : -errno, "list /proc/sys/net/%s", path);
	if (is_dir_of_conf(path))
		err = save_conf_default(s, path, depth);
	while (!err && (e = readdir(dir))) {
		char name[PATH_ROOM];

		if (e->d_name[0] == '.')
			continue;
		err = str_format(name, sizeof(name), "%s%s%s", path, *path ? "/" : "", e->d_name);
		if (err)
			return fail(err, "list sysctl net/%s", path);
		if (e->d_type != DT_DIR)
			err = save_one(s, fd, name);
		else
			err = save_subdir(s, name, path, depth);
	}
	return err;
}

/* Groups are those of the tree's user namespace; with a newline, as CRIU has it. NULL: out of memory. */
static char *ping_range(struct dump *dump, const char *text)
{
	uint32_t first, last;

	if (sscanf(text, "%" SCNu32 " %" SCNu32, &first, &last) != 2 || first > last)
		return dump_printf(dump, "1\t0\n");
	return dump_printf(dump, "%u\t%u\n", dump_gid_of(dump, first), dump_gid_of(dump, last));
}

static int save_single(struct dump *dump, const char *path, bool number, SysctlEntry ***ret_list, size_t *ret_n)
{
	_cleanup_buf_ struct buf text = { 0 };
	SysctlEntry *entry = dump_alloc(dump, sizeof(*entry)), **list = dump_alloc(dump, sizeof(SysctlEntry *));
	int err = net_sysctl_read(path, &text);
	int64_t value;

	if (err == -ENOENT)
		return 0;
	if (!entry || !list)
		return fail(-ENOMEM, "sysctls");
	sysctl_entry__init(entry);
	entry->type = number ? SYSCTL_TYPE__CTL_32 : SYSCTL_TYPE__CTL_STR;
	if (!err && number) {
		err = parse_s64(text.data, &value);
		entry->has_iarg = !err;
		entry->iarg = entry->has_iarg ? (int32_t)value : 0;
	} else if (!err) {
		entry->sarg = ping_range(dump, text.data);
		err = entry->sarg ? 0 : -ENOMEM;
	}
	if (err)
		return fail(err, "read /proc/sys/net/%s", path);
	list[0] = entry;
	*ret_list = list;
	*ret_n = 1;
	return 0;
}

int net_sysctls_save(struct dump *dump, NetnsEntry *entry)
{
	struct sysctls s = { .dump = dump, .entry = entry };
	int err = save_single(dump, "unix/max_dgram_qlen", true, &entry->unix_conf, &entry->n_unix_conf);

	if (!err)
		err = save_single(dump, "ipv4/ping_group_range", false, &entry->ipv4_sysctl, &entry->n_ipv4_sysctl);
	return err ? err : save_dir(&s, "", 0);
}

/* ---- restore ---- */

/* A device may be called "a..b". */
static bool leads_up(const char *path)
{
	while (path) {
		if (!strncmp(path, "..", 2) && (path[2] == '/' || !path[2]))
			return true;
		path = strchr(path, '/');
		path = path ? path + 1 : NULL;
	}
	return false;
}

static bool is_good_path(const char *path)
{
	return path[0] && path[0] != '/' && strlen(path) < PATH_ROOM - sizeof(ROOT) && !leads_up(path);
}

int net_sysctls_check(const struct ns *ns, const NetnsEntry *entry)
{
	for (size_t i = 0; i < entry->n_sysctl; i++)
		if (!is_good_path(entry->sysctl[i]->path))
			return fail(-EBADMSG, "netns-%u.img: invalid path of a sysctl: %s", ns->id,
				    entry->sysctl[i]->path);
	return 0;
}

/* Some can be read only. */
static bool is_writable(const char *path)
{
	char full[PATH_ROOM];
	struct stat st;

	return str_format(full, sizeof(full), ROOT "%s", path) || fstatat(proc_root(), full, &st, 0) < 0 ||
	       (st.st_mode & S_IWUSR);
}

static bool is_set(const char *path, const char *value)
{
	_cleanup_buf_ struct buf now = { 0 };

	return !net_sysctl_read(path, &now) && str_eq(now.data, value);
}

/*
 * Files of a protocol or module (sctp, netfilter, bridge) exist in each namespace while it is loaded: that they are in the images
 * does not mean that the tree has used it. Here they are missing, and with them what they control.
 */
static bool is_of_missing_module(const char *path)
{
	static const char *const always[] = { "core/", "ipv4/", "ipv6/", "unix/" };
	const char *file = strrchr(path, '/');
	char full[PATH_ROOM];
	struct stat st;

	if (str_format(full, sizeof(full), ROOT "%s", path) || !fstatat(proc_root(), full, &st, 0) || errno != ENOENT)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
		if (!str_has_prefix(path, always[i]))
			continue;
		full[strlen(ROOT) + (size_t)(file - path)] = '\0';
		return fstatat(proc_root(), full, &st, 0) < 0 && errno == ENOENT;
	}
	return true;
}

static int try_to_set(const char *path, const char *value)
{
	char full[PATH_ROOM];
	int err;

	if (is_set(path, value) || !is_writable(path))
		return 0;
	err = str_format(full, sizeof(full), ROOT "%s", path);
	if (!err)
		err = write_text(proc_root(), full, *value ? value : "\n");
	if (err == -ENOENT && is_of_missing_module(path)) {
		log_warn("sysctl net/%s (saved: %s) does not exist: a module is not loaded", path, value);
		return 0;
	}
	return err < 0 ? err : 0;
}

/* Some of `all` (addr_gen_mode, force_forwarding) are passed on to all devices and to `default`, when they are set. */
static bool is_passed_on(const char *path, const char *which)
{
	const char *rest = str_has_prefix(path, "ipv4/conf/") || str_has_prefix(path, "ipv6/conf/") ?
				   path + strlen("ipv4/conf/") :
				   "";

	return str_has_prefix(rest, which) && rest[strlen(which)] == '/';
}

int net_sysctls_fill_first(struct restore *r, const NetnsEntry *entry)
{
	static const char *const order[] = { "all", "default" };
	int err = 0;

	for (size_t pass = 0; pass < ARRAY_SIZE(order); pass++) {
		for (size_t i = 0; !err && i < entry->n_sysctl; i++) {
			const NetSysctl *one = entry->sysctl[i];

			if (is_passed_on(one->path, order[pass]) && try_to_set(one->path, one->value))
				err = net_sysctl_write(r, one->path, one->value);
		}
	}
	return err;
}

/* Some limit each other (ip_local_port_range and ip_unprivileged_port_start): those that fail are tried again at the end. */
static int fill_others(struct restore *r, const NetnsEntry *entry)
{
	_cleanup_free_ bool *failed = calloc(entry->n_sysctl + 1, sizeof(*failed));
	int err = 0;

	if (!failed)
		return fail(-ENOMEM, "sysctls");
	for (size_t i = 0; i < entry->n_sysctl; i++) {
		const NetSysctl *one = entry->sysctl[i];

		failed[i] = !is_passed_on(one->path, "all") && !is_passed_on(one->path, "default") &&
			    try_to_set(one->path, one->value) != 0;
	}
	for (size_t i = 0; !err && i < entry->n_sysctl; i++)
		if (failed[i])
			err = net_sysctl_write(r, entry->sysctl[i]->path, entry->sysctl[i]->value);
	return err;
}

/* That of a new namespace is empty, which cannot be set where group 1 is not mapped. */
static int fill_ping_range(struct restore *r, const char *saved)
{
	char range[64];
	uint32_t first, last;

	if (sscanf(saved, "%" SCNu32 " %" SCNu32, &first, &last) != 2)
		return fail(-EBADMSG, "sysctl net/ipv4/ping_group_range: %s", saved);
	if (first > last)
		return 0;
	snprintf(range, sizeof(range), "%u\t%u", first, last);
	return net_sysctl_write(r, "ipv4/ping_group_range", range);
}

int net_sysctls_fill(struct restore *r, const NetnsEntry *entry)
{
	char number[16];
	int err = 0;

	if (entry->n_unix_conf && entry->unix_conf[0]->has_iarg) {
		snprintf(number, sizeof(number), "%d", entry->unix_conf[0]->iarg);
		err = net_sysctl_write(r, "unix/max_dgram_qlen", number);
	}
	if (!err && entry->n_ipv4_sysctl && entry->ipv4_sysctl[0]->sarg)
		err = fill_ping_range(r, entry->ipv4_sysctl[0]->sarg);
	return err ? err : fill_others(r, entry);
}
