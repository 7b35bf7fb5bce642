// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of ebtables(8) in the kernel's old form; those of ebtables-nft are rules of nf_tables. Only asking for a table tells whether it
 * has some, which creates it in the namespace, empty, and may load its module: so only tables that are loaded, or built in, are asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <linux/if.h>
#include <linux/netfilter_bridge/ebtables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "ebtables.h"
#include "refuse.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

#define MODULES "/lib/modules" /* style: the conventional path, of the tool */
#define ENTRIES_MAX (64u << 20)

static const char *const tables[] = { "filter", "nat", "broute" };

/* A line of /proc/modules begins with that name. */
static bool is_loaded(const char *modules, const char *name)
{
	const size_t len = strlen(name);

	for (const char *line = modules; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) && line[len] == ' ')
			return true;
	}
	return false;
}

bool ebtables_may_have(const char *table, const char *modules, const char *builtin)
{
	char name[64];

	if (str_format(name, sizeof(name), "ebtable_%s", table) || is_loaded(modules, name))
		return true;
	/* A module that tables, if they were there, would need. */
	if (is_loaded(modules, "ebtables"))
		return false;
	return !builtin || (!str_format(name, sizeof(name), "/ebtable_%s.ko", table) && strstr(builtin, name));
}

/* Chains of the kernel's own come first, one for each hook; without a rule and chains of users there is nothing else. */
bool ebtables_has_content(const struct ebt_replace *info, const void *entries)
{
	const unsigned hooks = (unsigned)__builtin_popcount(info->valid_hooks);

	if (info->nentries || info->entries_size != hooks * sizeof(struct ebt_entries))
		return true;
	for (unsigned i = 0; i < hooks; i++)
		if (((const struct ebt_entries *)entries)[i].policy != EBT_ACCEPT)
			return true;
	return false;
}

static int ask(int fd, int option, struct ebt_replace *info, size_t more)
{
	socklen_t len = (socklen_t)(sizeof(*info) + more);

	return getsockopt(fd, SOL_IP, option, info, &len) ? -errno : 0;
}

static int see_table(int fd, const char *table, struct refusing *r)
{
	struct ebt_replace info = { .num_counters = 0 };
	_cleanup_free_ void *entries = NULL;
	int err;

	memcpy(info.name, table, strlen(table));
	err = ask(fd, EBT_SO_GET_INFO, &info, 0);
	if (err || !info.entries_size)
		return err == -ENOENT ? 0 : err;
	if (info.entries_size > ENTRIES_MAX)
		return -E2BIG;
	entries = calloc(1, info.entries_size);
	if (!entries)
		return -ENOMEM;
	info.entries = entries;
	info.num_counters = 0;
	info.counters = NULL;
	err = ask(fd, EBT_SO_GET_ENTRIES, &info, info.entries_size);
	if (!err && ebtables_has_content(&info, entries))
		net_refuse_object(r, table);
	return err;
}

/* Of the running kernel: one path a line. No such file: it can load no modules. */
static int read_builtin(struct buf *to)
{
	_cleanup_close_ int dir = -1;
	struct utsname kernel;
	char path[128];
	int err = uname(&kernel) ? -errno : str_format(path, sizeof(path), "%s/%s", MODULES, kernel.release);

	if (err)
		return err;
	dir = path_open(&PATH_OWN, PATH_ROOT_MOUNT, path, O_PATH | O_DIRECTORY);
	err = dir < 0 ? dir : read_file(dir, "modules.builtin", to);
	if (err)
		return err == -ENOENT ? 0 : err;
	return buf_add(to, "", 1);
}

/* Those that are loaded. */
static int read_modules(struct buf *to, bool *ret_can_load)
{
	int err = read_file(proc_root(), "modules", to);

	*ret_can_load = err != -ENOENT;
	return err && err != -ENOENT ? err : buf_add(to, "", 1);
}

static int see_tables(int fd, struct dump *dump, const struct ns *ns)
{
	_cleanup_buf_ struct buf modules = { 0 }, builtin = { 0 };
	bool can_load;
	int err = read_modules(&modules, &can_load);

	if (!err && can_load && !is_loaded(modules.data, "ebtables"))
		err = read_builtin(&builtin);
	for (size_t i = 0; !err && i < ARRAY_SIZE(tables); i++) {
		struct refusing r = { dump, ns, "rules, chains or policies of ebtables (legacy) in the table ",
				      "delete them (ebtables-legacy -F, -X, -P), or use ebtables-nft", false };

		if (ebtables_may_have(tables[i], modules.data, builtin.data))
			err = see_table(fd, tables[i], &r);
	}
	return err;
}

int net_refuse_ebtables(struct dump *dump, const struct ns *ns)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(struct ebt_replace);
	int err;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : fail(-errno, "a socket for the rules of ebtables");
	/* Without an address, only whether there are ebtables is found out: -EFAULT. */
	if (!getsockopt(fd, SOL_IP, EBT_SO_GET_INFO, NULL, &len) || errno == ENOPROTOOPT || errno == EOPNOTSUPP)
		return 0;
	err = see_tables(fd, dump, ns);
	return err ? fail(err, "read the rules of ebtables of network namespace %u", ns->id) : 0;
}
