// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/xtables.h"
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter_arp/arp_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* The structures of the three families have the same layout, except for the size of the entries' match. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "the same structure");
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct arpt_getinfo) + 2 * 2 * sizeof(int), "3 and 5 hooks");

#define NAME_ROOM XT_TABLE_MAXNAMELEN

static const struct family {
	int family, domain, level;
	int info, entries, replace, add_counters; /* socket options */
	const char *names; /* file in /proc/PID/net */
	const char *program;
	size_t next_offset, counters; /* in an entry */
	size_t entry_size;
	unsigned hooks;
} families[] = {
	{ AF_INET, AF_INET, IPPROTO_IP, IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES, IPT_SO_SET_REPLACE,
	  IPT_SO_SET_ADD_COUNTERS, "ip_tables_names", "iptables", offsetof(struct ipt_entry, next_offset),
	  offsetof(struct ipt_entry, counters), sizeof(struct ipt_entry), 5 },
	{ AF_INET6, AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO, IP6T_SO_GET_ENTRIES, IP6T_SO_SET_REPLACE,
	  IP6T_SO_SET_ADD_COUNTERS, "ip6_tables_names", "ip6tables", offsetof(struct ip6t_entry, next_offset),
	  offsetof(struct ip6t_entry, counters), sizeof(struct ip6t_entry), 5 },
	{ NFPROTO_ARP, AF_INET, IPPROTO_IP, ARPT_SO_GET_INFO, ARPT_SO_GET_ENTRIES, ARPT_SO_SET_REPLACE,
	  ARPT_SO_SET_ADD_COUNTERS, "arp_tables_names", "arptables", offsetof(struct arpt_entry, next_offset),
	  offsetof(struct arpt_entry, counters), sizeof(struct arpt_entry), 3 },
};

/* struct ipt_getinfo, with as many hooks as the family has */
struct info {
	char name[NAME_ROOM];
	uint32_t words[3 + 2 * XTABLES_HOOKS];
};

static size_t info_size(const struct family *f)
{
	return NAME_ROOM + (3 + 2 * f->hooks) * sizeof(uint32_t);
}

static int open_socket(const struct family *f)
{
	int fd = socket(f->domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	return fd < 0 ? fail(-errno, "open a raw socket for %s", f->program) : fd;
}

/* ---- reading ---- */

/* The kernel creates a table that is asked for. */
static int read_info(const struct family *f, int fd, const char *name, struct xtable *ret)
{
	struct info info = { 0 };
	socklen_t len = (socklen_t)info_size(f);
	const uint32_t *word = info.words;

	if (strlen(name) >= NAME_ROOM)
		return fail(-EBADMSG, "%s: table name %s", f->program, name);
	strcpy(info.name, name);
	if (getsockopt(fd, f->level, f->info, &info, &len) < 0)
		return fail(-errno, "%s: table %s", f->program, name);
	*ret = (struct xtable){ .family = f->family, .valid_hooks = *word++ };
	memcpy(ret->hook_entry, word, f->hooks * sizeof(*word));
	word += f->hooks;
	memcpy(ret->underflow, word, f->hooks * sizeof(*word));
	word += f->hooks;
	ret->nr_entries = *word++;
	ret->size = *word;
	return 0;
}

/* struct ipt_get_entries; to be freed */
struct entries {
	char name[NAME_ROOM];
	uint32_t size;
	char bytes[] __attribute__((aligned(8)));
};

static struct entries *read_entries(const struct family *f, int fd, const char *name, size_t size)
{
	socklen_t len = (socklen_t)(sizeof(struct entries) + size);
	struct entries *all = calloc(1, len);

	if (!all)
		return NULL;
	strcpy(all->name, name);
	all->size = (uint32_t)size;
	if (getsockopt(fd, f->level, f->entries, all, &len) < 0) {
		free(all);
		return NULL;
	}
	return all;
}

static int read_table(const struct family *f, const char *name, int (*fn)(const struct xtable *, void *arg), void *arg)
{
	_cleanup_free_ struct entries *entries = NULL;
	_cleanup_close_ int fd = open_socket(f);
	struct xtable table;
	int err = fd < 0 ? fd : read_info(f, fd, name, &table);

	if (err)
		return err;
	errno = ENOMEM;
	entries = read_entries(f, fd, name, table.size);
	/* EAGAIN: its rules have been replaced meanwhile. */
	if (!entries)
		return fail(-errno, "%s: read table %s", f->program, name);
	table.name = name;
	table.entries = entries->bytes;
	return fn(&table, arg);
}

int xtables_each(int (*fn)(const struct xtable *, void *arg), void *arg)
{
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(families); i++) {
		char path[64], name[NAME_ROOM + 2];
		_cleanup_close_ int fd = -1;
		_cleanup_fclose_ FILE *names = NULL;

		snprintf(path, sizeof(path), "self/net/%s", families[i].names);
		fd = open_fmt(proc_root(), O_RDONLY | O_CLOEXEC, "%s", path);
		if (fd == -ENOENT)
			continue;
		/* The kernel gives it to root of the user namespace if that has one by then, otherwise to root of the host. */
		if (fd == -EACCES)
			return fail(
				fd,
				"open /proc/%s: the names of the iptables tables may only be read by root outside of all user namespaces, as the network namespace was created before the maps of its user namespace were written (unshare --user --net): run criu as that root, or create the network namespace after the maps",
				path);
		names = fd < 0 ? NULL : fdopen(fd, "r");
		if (!names)
			return fail(fd < 0 ? fd : -errno, "open /proc/%s", path);
		fd = -1;
		while (!err && fgets(name, sizeof(name), names)) {
			name[strcspn(name, "\n")] = 0;
			err = read_table(&families[i], name, fn, arg);
		}
	}
	return err;
}

/* ---- creating ---- */

/* struct ipt_replace, with as many hooks as the family has */
static void *new_replacement(const struct family *f, const struct xtable *table, void *old, uint32_t nr_old,
			     size_t *ret_len)
{
	size_t head = NAME_ROOM + (4 + 2 * f->hooks) * sizeof(uint32_t) + sizeof(void *);
	uint32_t *word;
	char *bytes;

	head = ROUND_UP(head, 8);
	*ret_len = head + table->size;
	bytes = calloc(1, *ret_len);
	if (!bytes)
		return NULL;
	strcpy(bytes, table->name);
	word = (uint32_t *)(bytes + NAME_ROOM);
	*word++ = table->valid_hooks;
	*word++ = table->nr_entries;
	*word++ = (uint32_t)table->size;
	memcpy(word, table->hook_entry, f->hooks * sizeof(*word));
	word += f->hooks;
	memcpy(word, table->underflow, f->hooks * sizeof(*word));
	word += f->hooks;
	*word++ = nr_old;
	/* It is aligned. */
	*(void **)(void *)(bytes + head - sizeof(old)) = old;
	memcpy(bytes + head, table->entries, table->size);
	return bytes;
}

static int replace(const struct family *f, int fd, const struct xtable *table)
{
	_cleanup_free_ struct xt_counters *old = NULL;
	_cleanup_free_ void *bytes = NULL;
	struct xtable now;
	size_t len;
	int err = read_info(f, fd, table->name, &now);

	if (err)
		return err;
	/* The counters of the rules that are replaced. */
	old = calloc(now.nr_entries, sizeof(*old));
	bytes = old ? new_replacement(f, table, old, now.nr_entries, &len) : NULL;
	if (!bytes)
		return fail(-ENOMEM, "%s: table %s", f->program, table->name);
	if (setsockopt(fd, f->level, f->replace, bytes, (socklen_t)len) < 0)
		return fail(-errno, "%s: create the rules of table %s", f->program, table->name);
	return 0;
}

static int add_counters(const struct family *f, int fd, const struct xtable *table)
{
	size_t len = sizeof(struct xt_counters_info) + table->nr_entries * sizeof(struct xt_counters), offset = 0;
	_cleanup_free_ struct xt_counters_info *info = calloc(1, len);

	if (!info)
		return fail(-ENOMEM, "%s: table %s", f->program, table->name);
	strcpy(info->name, table->name);
	info->num_counters = table->nr_entries;
	for (uint32_t i = 0; i < table->nr_entries; i++) {
		const char *entry = (const char *)table->entries + offset;
		uint16_t next;

		if (offset > table->size || table->size - offset < f->entry_size)
			return fail(-EBADMSG, "%s: table %s: the rules are truncated", f->program, table->name);
		memcpy(&info->counters[i], entry + f->counters, sizeof(info->counters[i]));
		memcpy(&next, entry + f->next_offset, sizeof(next));
		offset += next;
	}
	if (setsockopt(fd, f->level, f->add_counters, info, (socklen_t)len) < 0)
		return fail(-errno, "%s: set the counters of table %s", f->program, table->name);
	return 0;
}

int xtable_replace(const struct xtable *table)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct family *f = &families[i];
		_cleanup_close_ int fd = -1;
		int err;

		if (f->family != table->family)
			continue;
		fd = open_socket(f);
		err = fd < 0 ? fd : replace(f, fd, table);
		return err ? err : add_counters(f, fd, table);
	}
	return fail(-EBADMSG, "tables of iptables: unknown family %d", table->family);
}
