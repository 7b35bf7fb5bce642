// SPDX-License-Identifier: GPL-2.0-only
/*
 * What extensions of netfilter keep beside the rules: sets of ipset(8), services of ipvsadm(8), lists of the matches recent and
 * hashlimit. IPv6 flow labels. Nothing here makes the kernel load a module.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bits.h"
#include "refuse.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define NET "thread-self/net/"

/* ---- sets ---- */

/* A request by netlink would load the module; an option does not. 0: the kernel has no sets. */
static int version_of_sets(void)
{
	struct ip_set_req_version version = { .op = IP_SET_OP_VERSION };
	socklen_t len = sizeof(version);
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	if (getsockopt(fd, SOL_IP, SO_IP_SET, &version, &len))
		return errno == ENOPROTOOPT || errno == EOPNOTSUPP ? 0 : -errno;
	return (int)version.version;
}

static int see_set(struct nlmsghdr *message, void *arg)
{
	struct nlattr *name = nlmsg_find_attr(message, sizeof(struct nfgenmsg), IPSET_ATTR_SETNAME);

	net_refuse_object(arg, name ? nla_get_string(name) : "?");
	return 0;
}

static int list_sets(struct nl_sock *netlink, uint8_t version, struct refusing *r)
{
	struct nfgenmsg head = { .nfgen_family = AF_INET, .version = NFNETLINK_V0 };
	const struct netlink_answer answer = { NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_LIST, see_set, r };
	struct nl_msg *msg = nlmsg_alloc_simple(NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_LIST, NLM_F_DUMP);

	/* Names only. */
	if (msg && !nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO) &&
	    !nla_put_u8(msg, IPSET_ATTR_PROTOCOL, version) &&
	    !nla_put_u32(msg, IPSET_ATTR_FLAGS, htonl(IPSET_FLAG_LIST_SETNAME)))
		return netlink_list(netlink, msg, &answer);
	nlmsg_free(msg);
	return -ENOMEM;
}

static int refuse_sets(struct dump *dump, const struct ns *ns)
{
	_cleanup_netlink_ struct nl_sock *netlink = NULL;
	struct refusing r = { dump, ns, "the IP set ",
			      "delete it, and the rules that use it (ipset save, ipset destroy)", false };
	int version = version_of_sets();
	int err = version > 0 ? netlink_open(NETLINK_NETFILTER, &netlink) : version;

	if (!err && version > 0)
		err = list_sets(netlink, (uint8_t)version, &r);
	return err ? fail(err, "list the IP sets of network namespace %u", ns->id) : 0;
}

/* ---- files ---- */

/* A file with more lines than its heading has objects; it exists if the kernel has that feature. */
struct listing {
	const char *path, *what, *todo;
	int heading;
};

static const struct listing files[] = {
	{ NET "ip_vs", "services of IPVS", "delete them (ipvsadm -C)", 3 },
	{ NET "ip6_flowlabel", "IPv6 flow labels",
	  "close the sockets that use them (IPV6_FLOWLABEL_MGR), and wait until they expire (/proc/net/ip6_flowlabel)",
	  1 },
};

/* A file in them is a list. Without entries, the rule that comes back makes it as it was. */
static const struct listing dirs[] = {
	{ NET "xt_recent", "entries in the list of the match recent ", "clear it (echo / >/proc/net/xt_recent/NAME)",
	  0 },
	{ NET "ipt_hashlimit", "entries in the list of the match hashlimit ",
	  "wait until they expire (/proc/net/ipt_hashlimit), or delete the rule", 0 },
	{ NET "ip6t_hashlimit", "entries in the list of the match hashlimit ",
	  "wait until they expire (/proc/net/ip6t_hashlimit), or delete the rule", 0 },
};

static int see_file(int dir, const char *path, struct refusing *r, const struct listing *of, const char *name)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = read_file(dir, path, &text), lines = 0;

	for (size_t i = 0; !err && i < text.len; i++)
		lines += text.data[i] == '\n';
	if (!err && lines > of->heading)
		net_refuse_object(r, name);
	return err == -ENOENT ? 0 : err;
}

static int see_dir(struct refusing *r, const struct listing *of)
{
	int fd = open_at(proc_root(), of->path, O_RDONLY | O_DIRECTORY, 0), err = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		err = fd < 0 ? fd : -errno;
		if (fd >= 0)
			close(fd);
		return err == -ENOENT ? 0 : err;
	}
	for (const struct dirent *d; !err && (d = readdir(dir));)
		if (d->d_name[0] != '.')
			err = see_file(dirfd(dir), d->d_name, r, of, d->d_name);
	closedir(dir);
	return err;
}

int net_refuse_netfilter(struct dump *dump, const struct ns *ns)
{
	int err = refuse_sets(dump, ns);

	for (size_t i = 0; !err && i < ARRAY_SIZE(files); i++) {
		struct refusing r = { dump, ns, files[i].what, files[i].todo, false };

		err = see_file(proc_root(), files[i].path, &r, &files[i], "");
		if (err)
			fail(err, "read /proc/%s", files[i].path);
	}
	for (size_t i = 0; !err && i < ARRAY_SIZE(dirs); i++) {
		struct refusing r = { dump, ns, dirs[i].what, dirs[i].todo, false };

		err = see_dir(&r, &dirs[i]);
		if (err)
			fail(err, "read /proc/%s", dirs[i].path);
	}
	return err;
}
