// SPDX-License-Identifier: GPL-2.0-only
#include "run/network.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/net_ns.h"
#include "kernel/ns_run.h"
#include "run/dump.h"
#include "run/notify.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

#define SO_NETNS_COOKIE_ 71
#define OWN_IT                                                                                            \
	"run criu as root, or in a network namespace that belongs to its user namespace (unshare --net, " \
	"nsenter --net)"

/* ---- dump ---- */

struct known_network {
	struct known_network *next;
	uint64_t cookie; /* 0: this kernel has none */
	struct ns *ns;
	int fd;
};

struct dump_networks {
	struct known_network *first;
	const struct ns *at; /* NULL: the tool's own */
	int own; /* descriptor of that */
	bool stranded; /* it cannot be entered again, and nothing needs it */
	ino_t own_ino;
};

static void close_networks(void *p)
{
	struct dump_networks *networks = p;

	for (struct known_network *n = networks->first; n; n = n->next)
		close(n->fd);
	cleanup_close(&networks->own);
}

static struct dump_networks *networks_of(struct dump *dump)
{
	struct dump_networks *networks = dump->networks;
	struct stat st;

	if (networks)
		return networks;
	networks = dump_alloc(dump, sizeof(*networks));
	if (!networks || arena_defer(&dump->arena, close_networks, networks) < 0)
		return NULL;
	networks->own = net_ns_open_own();
	if (networks->own < 0 || fstat(networks->own, &st) < 0) {
		fail(networks->own < 0 ? networks->own : -errno, "open the tool's network namespace");
		return NULL;
	}
	networks->own_ino = st.st_ino;
	return dump->networks = networks;
}

static uint64_t cookie_of(int socket)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE_, &cookie, &len) < 0 ? 0 : cookie;
}

/* Without CAP_NET_ADMIN, only sockets of the tool's own namespace can be recognized, and saved. */
static uint64_t own_cookie(void)
{
	_cleanup_close_ int own = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return own < 0 ? 0 : cookie_of(own);
}

/* Takes ownership of @fd. */
static struct known_network *note(struct dump *dump, struct dump_networks *networks, int fd, uint64_t cookie)
{
	struct known_network *known = networks->first;
	struct stat st;

	if (fstat(fd, &st) < 0) {
		close(fd);
		return NULL;
	}
	while (known && known->ns->ino != st.st_ino)
		known = known->next;
	if (known) {
		known->cookie = cookie;
		close(fd);
		return known;
	}
	known = dump_alloc(dump, sizeof(*known));
	if (known)
		known->ns =
			ns_set_get(&dump->namespaces, &dump->arena, NS_NET, st.st_ino, st.st_ino == networks->own_ino);
	if (!known || !known->ns) {
		close(fd);
		return NULL;
	}
	known->fd = fd;
	known->cookie = cookie;
	known->next = networks->first;
	return networks->first = known;
}

int dump_network_of(struct dump *dump, const struct fd_probe *probe, struct ns **ret_ns)
{
	struct dump_networks *networks = networks_of(dump);
	uint64_t cookie = cookie_of(probe->local);
	struct known_network *known = networks ? networks->first : NULL;
	int fd;

	if (!networks)
		return -ENOMEM;
	while (known && (!cookie || known->cookie != cookie))
		known = known->next;
	if (!known) {
		fd = net_ns_of_socket(probe->local);
		if (fd == -EPERM && cookie == own_cookie())
			fd = dup_fd_above(networks->own, 0);
		if (fd < 0)
			return fail(fd, "network namespace of %s", probe->link);
		known = note(dump, networks, fd, cookie);
		if (!known)
			return fail(-ENOMEM, "network namespaces");
	}
	*ret_ns = known->ns;
	return 0;
}

bool dump_network_refused(struct dump *dump, const struct fd_probe *probe, const struct ns *ns)
{
	if (ns->own || ns->member)
		return false;
	dump_blocker(dump, probe->task, probe->fd,
		     "%s: a socket of a network namespace that no process of the tree is in is not supported; close it",
		     probe->link);
	return true;
}

/* NULL: no socket of it has been seen. */
static const struct known_network *find_known(const struct dump_networks *networks, const struct ns *ns)
{
	const struct known_network *known = networks->first;

	while (known && known->ns != ns)
		known = known->next;
	return known;
}

/* Whatever is done in the tool's own network namespace from now on would be done in that of the tree. */
static int check_not_needed(const struct dump *dump)
{
	const struct options *opts = dump->opts;
	const struct ns *ns;

	ns_for_each(ns, &dump->namespaces, NS_NET)
		if (ns->own && ns->member)
			return fail(-EPERM,
				    "enter the network namespace of a process: criu could not return to its own, "
				    "which process %d is in: " OWN_IT,
				    ns->member->pid);
	if (opts->action_scripts.n || opts->lazy_pages || opts->page_server)
		return fail(
			-EPERM,
			"enter the network namespace of a process: criu could not return to its own, for %s: " OWN_IT,
			opts->action_scripts.n ? "--action-script" :
			opts->lazy_pages       ? "--lazy-pages" :
						 "--page-server");
	return 0;
}

/* In a user namespace it may be possible to enter that of the tree, but not to come back. */
static int find_way_back(const struct dump *dump, struct dump_networks *networks)
{
	int err = networks->at ? 0 : net_ns_enter(networks->own);

	if (err == -EPERM && !dump->rights.owns_net_ns) {
		err = check_not_needed(dump);
		networks->stranded = !err;
		return err;
	}
	return err ? fail(err, "enter criu's own network namespace") : 0;
}

int dump_enter_network(struct dump *dump, const struct ns *ns)
{
	struct dump_networks *networks = dump->networks;
	const struct known_network *known;
	_cleanup_close_ int opened = -1;
	int fd, err;

	if (ns && ns->own && dump->networks && dump->networks->stranded)
		return fail(-EPERM, "a socket of criu's own network namespace, which it cannot enter again: " OWN_IT);
	if (ns && ns->own)
		ns = NULL;
	if (ns == dump_network(dump))
		return 0;
	networks = networks_of(dump);
	if (!networks)
		return -ENOMEM;
	known = ns ? find_known(networks, ns) : NULL;
	if (!ns && networks->stranded)
		return 0;
	err = find_way_back(dump, networks);
	if (err)
		return err;
	fd = ns ? (known ? known->fd : -1) : networks->own;
	if (fd < 0 && ns && !ns->member)
		return fail(-ESRCH, "enter a network namespace that no process of the tree is in");
	if (fd < 0)
		fd = opened = proc_ns_open(&dump_task_of(ns->member)->proc, PROC_NS_NET);
	err = fd < 0 ? fd : net_ns_enter(fd);
	if (err)
		return fail(err, "enter the network namespace %s", ns ? "of a socket" : "of the tool");
	networks->at = ns;
	return 0;
}

const struct ns *dump_network(const struct dump *dump)
{
	return dump->networks ? dump->networks->at : NULL;
}

uint32_t dump_network_id(const struct dump *dump)
{
	const struct ns *at = dump_network(dump);

	return at ? at->id : ns_own_id(NS_NET);
}

int network_announce_lock(struct dump *dump)
{
	int err;

	if (dump->network_announced || dump->blockers.nr || dump_is_check(dump))
		return 0;
	err = dump_enter_network(dump, NULL);
	if (err)
		return err;
	/* Even if one of them fails: others have been notified. */
	dump->network_announced = true;
	return notify_step(dump->opts, "network-lock", dump->opts->pid);
}

void network_announce_unlock(struct dump *dump, bool keeps_running)
{
	if (dump->network_announced && keeps_running)
		notify_step(dump->opts, "network-unlock", dump->opts->pid);
	dump->network_announced = false;
}

/* ---- restore ---- */

static struct ns *find_network(struct restore *r, uint32_t id)
{
	const struct restore_task *root = restore_task_of(r->plan.tree.root);
	struct ns *ns;

	if (!id)
		return root->ns[NS_NET];
	ns_for_each(ns, &r->plan.namespaces, NS_NET)
		if (ns->id == id)
			return ns;
	/* Of the tool's own, there is only a socket in the tree. */
	return id == r->plan.own_ns_ids[NS_NET] ? ns_set_get_id(&r->plan.namespaces, &r->arena, NS_NET, id, true) :
						  NULL;
}

int restore_set_network(struct restore *r, struct file *file, uint32_t id)
{
	file->network = find_network(r, id);
	if (!file->network)
		return fail(-EBADMSG, "files.img: file %u: a socket of network namespace %u, which no task is in",
			    file->id, id);
	return 0;
}

int network_enter(struct restore *r, const struct ns *ns, struct network_visit *ret_visit)
{
	const struct restore_task *task = r->process.task;
	const struct ns *at = r->process.network ? r->process.network : task ? task->ns[NS_NET] : NULL;
	int back, err;

	*ret_visit = (struct network_visit){ .back = -1 };
	/* Without a descriptor there is only one in the whole tree: the tool's own. */
	if (!ns || ns->fd < 0 || ns == at)
		return 0;
	back = net_ns_open_own();
	err = back < 0 ? back : net_ns_enter(ns->fd);
	if (err) {
		cleanup_close(&back);
		return fail(err, "enter the network namespace %u", ns->id);
	}
	*ret_visit = (struct network_visit){ back, r->process.network };
	r->process.network = ns;
	return 0;
}

int network_leave(struct restore *r, const struct network_visit *visit)
{
	int err;

	if (visit->back < 0)
		return 0;
	err = net_ns_enter(visit->back);
	close(visit->back);
	r->process.network = visit->was;
	return err ? fail(err, "return to the network namespace of this process") : 0;
}

int network_run(struct restore *r, const struct ns *ns, int (*fn)(void *arg), void *arg)
{
	const struct rights *tool = &r->tool.rights;
	struct network_visit visit;
	int result = 0, err, left;

	if (ns->fd >= 0 && !tool->initial_user_ns && !tool->owns_net_ns) {
		err = ns_run_in(&ns->fd, 1, fn, arg, &result);
		return err ? fail(err, "enter network namespace %u", ns->id) : result;
	}
	err = network_enter(r, ns, &visit);
	if (err)
		return err;
	err = fn(arg);
	left = network_leave(r, &visit);
	return err ? err : left;
}
