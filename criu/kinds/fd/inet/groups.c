// SPDX-License-Identifier: GPL-2.0-only
/*
 * Multicast memberships. /proc lists the groups that a device listens to; getsockopt(MCAST_MSFILTER) reports, one group
 * at a time, whether this socket is a member and with which sources.
 */
#include "kinds/fd/inet/groups.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

#define SOURCES_MAX 64u
#define GROUPS_AT_A_TIME 64u

struct filter {
	struct group_filter head;
	struct sockaddr_storage more[SOURCES_MAX];
};

static void set_address(struct sockaddr_storage *to, int family, const void *bytes)
{
	memset(to, 0, sizeof(*to));
	to->ss_family = family;
	if (family == AF_INET)
		memcpy(&((struct sockaddr_in *)to)->sin_addr, bytes, 4);
	else
		memcpy(&((struct sockaddr_in6 *)to)->sin6_addr, bytes, 16);
}

static const void *address_bytes(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)a)->sin_addr :
					 (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr;
}

/* ---- dump ---- */

static int copy_bytes(struct dump *dump, const struct sockaddr_storage *a, ProtobufCBinaryData *ret)
{
	ret->len = a->ss_family == AF_INET ? 4 : 16;
	ret->data = dump_alloc(dump, ret->len);
	if (!ret->data)
		return -ENOMEM;
	memcpy(ret->data, address_bytes(a), ret->len);
	return 0;
}

static int grow_groups(struct dump *dump, InetSkEntry *entry)
{
	InetGroupEntry **more;

	if (entry->n_group % GROUPS_AT_A_TIME)
		return 0;
	more = dump_alloc(dump, (entry->n_group + GROUPS_AT_A_TIME) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	if (entry->n_group)
		memcpy(more, entry->group, entry->n_group * sizeof(*more));
	entry->group = more;
	return 0;
}

static int add_group(struct dump *dump, InetSkEntry *entry, const char *device, const struct filter *filter)
{
	InetGroupEntry *group = dump_alloc(dump, sizeof(*group));
	int err;

	if (!group || grow_groups(dump, entry) < 0)
		return -ENOMEM;
	inet_group_entry__init(group);
	group->device = dump_strdup(dump, device);
	group->source = dump_alloc(dump, (filter->head.gf_numsrc + 1) * sizeof(*group->source));
	if (!group->device || !group->source)
		return -ENOMEM;
	if (filter->head.gf_fmode == MCAST_INCLUDE)
		group->has_include = group->include = true;
	err = copy_bytes(dump, &filter->head.gf_group, &group->group);
	for (uint32_t i = 0; !err && i < filter->head.gf_numsrc; i++)
		err = copy_bytes(dump, &filter->head.gf_slist[i], &group->source[group->n_source++]);
	if (!err)
		entry->group[entry->n_group++] = group;
	return err;
}

/* A group that some socket of this host is a member of. */
struct group {
	int family;
	const char *device;
	const void *address; /* in network byte order */
};

static int query_group(struct dump *dump, int fd, InetSkEntry *entry, const struct group *group)
{
	const char *device = group->device;
	struct filter filter = { .head = { .gf_interface = if_nametoindex(device), .gf_numsrc = SOURCES_MAX } };
	socklen_t len = sizeof(filter);

	set_address(&filter.head.gf_group, group->family, group->address);
	if (!filter.head.gf_interface ||
	    getsockopt(fd, group->family == AF_INET ? SOL_IP : SOL_IPV6, MCAST_MSFILTER, &filter, &len) < 0)
		return 0;
	if (filter.head.gf_numsrc > SOURCES_MAX) {
		log_warn("a multicast membership on %s has %u sources; only %u are saved", device,
			 filter.head.gf_numsrc, SOURCES_MAX);
		filter.head.gf_numsrc = SOURCES_MAX;
	}
	return add_group(dump, entry, device, &filter);
}

/* "2\teth0 : 1 V3" and, below it, "\t\t\t\t010000E0 1 0:00000000\t\t0": words in host byte order. */
static int save_v4(struct dump *dump, int fd, InetSkEntry *entry)
{
	_cleanup_buf_ struct buf text = { 0 };
	char device[IF_NAMESIZE] = "", *save = NULL;
	int err = read_file(proc_root(), "self/net/igmp", &text);

	if (err < 0)
		return 0;
	for (char *line = strtok_r(text.data, "\n", &save); line && !err; line = strtok_r(NULL, "\n", &save)) {
		unsigned address;

		if (line[0] == '\t' && sscanf(line, " %8X", &address) == 1)
			err = query_group(dump, fd, entry, &(struct group){ AF_INET, device, &address });
		else if (line[0] != '\t' && sscanf(line, "%*u %15s", device) != 1)
			device[0] = '\0';
	}
	return err;
}

/* "1    lo              ff020000000000000000000000000001     1 0000000C 0" */
static int save_v6(struct dump *dump, int fd, InetSkEntry *entry)
{
	_cleanup_buf_ struct buf text = { 0 };
	char *save = NULL;
	int err = read_file(proc_root(), "self/net/igmp6", &text);

	if (err < 0)
		return 0;
	for (char *line = strtok_r(text.data, "\n", &save); line && !err; line = strtok_r(NULL, "\n", &save)) {
		char device[IF_NAMESIZE], hex[33];
		uint8_t address[16];
		bool good = sscanf(line, "%*u %15s %32[0-9a-f]", device, hex) == 2 && strlen(hex) == 32;

		for (size_t i = 0; good && i < sizeof(address); i++)
			good = sscanf(hex + 2 * i, "%2hhx", &address[i]) == 1;
		if (good)
			err = query_group(dump, fd, entry, &(struct group){ AF_INET6, device, address });
	}
	return err;
}

int inet_groups_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry)
{
	int err;

	if (entry->type == SOCK_STREAM)
		return 0;
	err = save_v4(dump, probe->local, entry);
	if (!err && entry->family == AF_INET6)
		err = save_v6(dump, probe->local, entry);
	return err ? fail(err, "multicast memberships") : 0;
}

/* ---- restore ---- */

int inet_groups_check(const InetSkEntry *entry)
{
	for (size_t i = 0; i < entry->n_group; i++) {
		const InetGroupEntry *group = entry->group[i];
		bool good = (group->group.len == 4 || group->group.len == 16) && group->n_source <= SOURCES_MAX &&
			    strlen(group->device) < IF_NAMESIZE;

		for (size_t j = 0; good && j < group->n_source; j++)
			good = group->source[j].len == group->group.len;
		if (!good)
			return fail(-EBADMSG, "invalid multicast membership of a socket (on %s)", group->device);
	}
	return 0;
}

static int join(int fd, const InetGroupEntry *group)
{
	int family = group->group.len == 4 ? AF_INET : AF_INET6, level = family == AF_INET ? SOL_IP : SOL_IPV6;
	struct group_req req = { .gr_interface = if_nametoindex(group->device) };
	struct filter filter = { .head = { .gf_interface = req.gr_interface,
					   .gf_numsrc = group->n_source,
					   .gf_fmode = group->include ? MCAST_INCLUDE : MCAST_EXCLUDE } };

	if (!req.gr_interface)
		return fail(-ENODEV, "join a multicast group: there is no network device %s", group->device);
	set_address(&req.gr_group, family, group->group.data);
	if (setsockopt(fd, level, MCAST_JOIN_GROUP, &req, sizeof(req)) < 0)
		return fail(-errno, "join a multicast group on %s", group->device);
	if (!group->n_source && !group->include)
		return 0;
	filter.head.gf_group = req.gr_group;
	for (size_t i = 0; i < group->n_source; i++)
		set_address(&filter.head.gf_slist[i], family, group->source[i].data);
	if (setsockopt(fd, level, MCAST_MSFILTER, &filter, GROUP_FILTER_SIZE(group->n_source)) < 0)
		return fail(-errno, "set the sources of a multicast group on %s", group->device);
	return 0;
}

int inet_groups_restore(int fd, const InetSkEntry *entry)
{
	int err = 0;

	for (size_t i = 0; !err && i < entry->n_group; i++)
		err = join(fd, entry->group[i]);
	return err;
}
