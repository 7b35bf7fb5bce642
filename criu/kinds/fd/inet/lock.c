// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/lock.h"
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "inventory.pb-c.h"
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "netfilter/nft_lock.h"
#include "netlink/inet_diag.h"
#include "rpc.pb-c.h"
#include "run/network.h"
#include "util/fds.h"
#include "util/str.h"

#define HALF_OPEN_WAIT_MS 100

static void to_connection(const union inet_address *src, const union inet_address *dst, struct nft_connection *ret)
{
	*ret = (struct nft_connection){ .from_port = inet_address_port(src), .to_port = inet_address_port(dst) };
	ret->v6 = src->any.sa_family == AF_INET6 && !inet_address_is_mapped(src);
	if (ret->v6) {
		memcpy(ret->from, &src->v6.sin6_addr, sizeof(ret->from));
		memcpy(ret->to, &dst->v6.sin6_addr, sizeof(ret->to));
	} else {
		ret->from[0] = inet_address_v4(src);
		ret->to[0] = inet_address_v4(dst);
	}
}

static int name_table(pid_t pid, char *ret_name, size_t size)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	return str_format(ret_name, size, NFT_LOCK_PREFIX "%d-%08x", pid, random);
}

static int cannot_lock(int err)
{
	return fail(err,
		    "lock the network with nftables (use --network-lock skip if nothing can reach these connections "
		    "until they are restored)");
}

/*
 * "iptables" is implemented by nftables as well. Rules of iptables(8) cannot be bound to the life of a process: if the
 * dumper was killed, they would remain and block the tree's connections for good. Packets see no difference.
 */
static bool is_skipped(enum network_lock method)
{
	if (method == NETWORK_LOCK_IPTABLES)
		log_info(
			"--network-lock iptables: implemented by nftables, whose rules vanish if the dumper is killed");
	return method == NETWORK_LOCK_SKIP;
}

/* ---- dump ---- */

static size_t to_listen_addresses(const InetSkEntry *entry, struct nft_listen_address ret[2])
{
	union inet_address src;
	bool mapped;

	inet_entry_source(entry, &src);
	mapped = inet_address_is_mapped(&src);
	ret[0] = (struct nft_listen_address){ .v6 = src.any.sa_family == AF_INET6 && !mapped,
					      .any = inet_address_is_any(&src),
					      .port = inet_address_port(&src) };
	if (ret[0].v6)
		memcpy(ret[0].address, &src.v6.sin6_addr, sizeof(ret[0].address));
	else
		ret[0].address[0] = inet_address_v4(&src);
	if (!ret[0].v6 || !ret[0].any || entry->v6only)
		return 1;
	ret[1] = ret[0];
	ret[1].v6 = false;
	return 2;
}

/* If the tree keeps running, clients can just wait in the queue. */
static size_t listen_addresses_of(const struct dump *dump, const struct inet_dump *data, struct nft_listen_address *ret)
{
	size_t n = 0;

	for (const struct inet_listener *l = inet_tree_ends(dump) ? data->listeners : NULL; l; l = l->next)
		n += to_listen_addresses(l->entry, ret + n);
	return n;
}

static bool matches_listen_address(const struct inet_diag_socket *sk, const struct nft_lock *lock)
{
	for (size_t i = 0; i < lock->nr_listening; i++)
		if (lock->listening[i].port == sk->src_port)
			return true;
	return false;
}

static size_t count_half_open(const struct nft_lock *lock)
{
	struct inet_diag_sockets all = { 0 };
	const struct inet_diag_socket *sk;
	size_t n = 0;

	inet_diag_read(AF_INET, IPPROTO_TCP, BIT(TCP_SYN_RECV), 0, &all);
	inet_diag_read(AF_INET6, IPPROTO_TCP, BIT(TCP_SYN_RECV), 0, &all);
	array_for_each(sk, &all)
		n += matches_listen_address(sk, lock);
	array_free(&all);
	return n;
}

/*
 * Clients that have received the SYN-ACK consider themselves connected: wait for the segment that completes the
 * handshake.
 */
static int close_listening(struct inet_dump *data, const char *table, const struct nft_lock *lock)
{
	static const struct timespec ms = { .tv_nsec = 1000000 };
	size_t left;

	for (int i = 0; (left = count_half_open(lock)) && i < HALF_OPEN_WAIT_MS; i++)
		nanosleep(&ms, NULL); /* style: there is no event */
	if (left)
		log_warn("%zu clients have not completed their handshake; their connections will be refused", left);
	return nft_lock_close_listening(data->lock, table, lock);
}

static int make_dump_table(struct dump *dump, struct inet_dump *data, const char *table, bool owned)
{
	_cleanup_free_ struct nft_connection *all = calloc(data->nr_streams + 1, sizeof(*all));
	_cleanup_free_ struct nft_listen_address *listening = calloc(2 * data->nr_listeners + 1, sizeof(*listening));
	struct nft_lock lock = { .connections = all, .listening = listening };
	size_t n = 0;
	int err;

	if (!all || !listening)
		return -ENOMEM;
	for (const struct inet_held *held = data->first; held; held = held->next)
		/* Clients that connect again have to get through a persistent table that outlives the tree. */
		if (held->what == KEEPER_STREAM && (owned || !held->unaccepted || !inet_network_remains(data)))
			to_connection(&held->src, &held->dst, &all[n++]);
	lock.nr_connections = n;
	lock.nr_listening = owned ? listen_addresses_of(dump, data, listening) : 0;
	err = nft_lock_make(data->lock, table, owned, &lock);
	return !err && lock.nr_listening ? close_listening(data, table, &lock) : err;
}

/* ---- left by an earlier dump of these connections that was killed ---- */

struct stale {
	const struct inet_dump *data;
	struct nl_sock *netlink; /* a second one: the first is in the middle of a reply */
	char table[64];
	bool found;
};

/* We are looking at the live connections: no restore is coming that this table would have to wait for. */
static int is_live_connection(const struct nft_connection *c, void *arg)
{
	struct stale *stale = arg;

	for (const struct inet_held *held = stale->data->first; held; held = held->next) {
		struct nft_connection own;

		if (held->what != KEEPER_STREAM)
			continue;
		to_connection(&held->src, &held->dst, &own);
		if (!memcmp(&own, c, sizeof(own)))
			return stale->found = true;
	}
	return 0;
}

static int note_table(const char *table, bool owned, void *arg)
{
	struct stale *stale = arg;

	if (owned || nft_lock_each_connection(stale->netlink, table, is_live_connection, stale) < 0 || !stale->found)
		return 0;
	snprintf(stale->table, sizeof(stale->table), "%s", table);
	return 1;
}

static bool remove_one_stale(const struct inet_dump *data)
{
	_cleanup_netlink_ struct nl_sock *tables = NULL, *connections = NULL, *removal = NULL;
	struct stale stale = { .data = data };

	if (nft_open(&tables) || nft_open(&connections))
		return false;
	stale.netlink = connections;
	if (nft_lock_each(tables, note_table, &stale) < 0 || !stale.found)
		return false;
	if (nft_open(&removal) || nft_lock_remove(removal, stale.table))
		return false;
	log_warn("removed %s, which blocked connections of this tree: an earlier dump was killed", stale.table);
	return true;
}

static int lock_dump(struct dump *dump, struct inet_dump *data)
{
	char owned[sizeof(data->table) + 8];
	int err = name_table(dump->opts->pid, data->table, sizeof(data->table));

	if (!err)
		err = boot_id_read(data->boot_id);
	if (!err)
		err = nft_open(&data->lock);
	if (err < 0)
		return err;
	snprintf(owned, sizeof(owned), "%s-dump", data->table);
	return make_dump_table(dump, data, owned, true);
}

/* Failure is no error: it affects only clients that connect during the dump. */
static int lock_listening(struct dump *dump, struct inet_dump *data)
{
	int err;

	if (!data->listeners || !inet_tree_ends(dump) || is_skipped(dump->opts->network_lock))
		return 0;
	err = lock_dump(dump, data);
	if (err < 0)
		log_info("clients that connect during the dump will be refused: the network could not be locked (errno "
			 "%d)",
			 -err);
	return 0;
}

int inet_lock_announce(struct dump *dump)
{
	struct inet_networks *all = inet_networks(dump);
	size_t nr = 0;
	int err;

	for (const struct inet_dump *data = all ? all->first : NULL; data; data = data->next)
		nr += data->nr_streams;
	if (!nr || dump->blockers.nr || dump_is_check(dump))
		return 0;
	/* Whatever the method: reading the connections needs it, too. */
	err = rights_need(&dump->rights, RIGHT_NET_ADMIN, "save %zu TCP connections", nr);
	if (err)
		return err;
	/* Whatever the method: users with a lock of their own use skip and a script. */
	return network_announce_lock(dump);
}

int inet_lock_dump(struct dump *dump, struct inet_dump *data)
{
	int err;

	if (!data->nr_streams)
		return lock_listening(dump, data);
	if (is_skipped(dump->opts->network_lock))
		return 0;
	while (remove_one_stale(data))
		;
	err = lock_dump(dump, data);
	return err < 0 ? cannot_lock(err) : 0;
}

int inet_lock_persist(struct dump *dump, struct inet_dump *data)
{
	int err;

	/* A namespace of the tree ends some time after it: until then, it must not answer the peers. */
	if (!data->lock)
		return 0;
	err = make_dump_table(dump, data, data->table, false);
	if (err)
		return cannot_lock(err);
	data->persistent = true;
	return 0;
}

void inet_lock_undo(struct inet_dump *data)
{
	int err = data->persistent ? nft_lock_remove(data->lock, data->table) : 0;

	if (err)
		log_warn("the network remains locked; remove the table with `nft delete table inet %s` (errno %d)",
			 data->table, -err);
}

void inet_lock_release(struct inet_dump *data)
{
	/* Closing the owner makes the kernel remove the table of the dump. */
	netlink_close(&data->lock);
}

/* ---- restore ---- */

/* If locking was impossible or unnecessary at the dump, the option need not be repeated at restore. */
static enum network_lock method_of(struct restore *r)
{
	InventoryEntry *inventory;
	bool skip;

	if (r->opts->network_lock != NETWORK_LOCK_DEFAULT)
		return r->opts->network_lock;
	if (image_read_single(r->dir, IMAGE_INVENTORY, 0, &inventory) < 0)
		return NETWORK_LOCK_NFTABLES;
	skip = inventory->has_network_lock_method && inventory->network_lock_method == CRIU_NETWORK_LOCK_METHOD__SKIP;
	image_free_record(inventory);
	return skip ? NETWORK_LOCK_SKIP : NETWORK_LOCK_NFTABLES;
}

static const struct ns *network_of(const struct inet_socket *sk)
{
	return sk->file->network;
}

/* The connections of one namespace. */
static size_t list_connections(const struct inet_restore *data, const struct ns *network, struct nft_connection *ret)
{
	size_t n = 0;

	for (const struct inet_socket *sk = data->first; sk; sk = sk->next) {
		union inet_address src, dst;

		if (!sk->stream || sk->unaccepted || network_of(sk) != network)
			continue;
		inet_entry_source(sk->entry, &src);
		inet_entry_target(sk->entry, &dst);
		to_connection(&src, &dst, &ret[n++]);
	}
	return n;
}

struct locking {
	struct restore *r;
	struct inet_lock *lock;
	const struct nft_connection *all;
	size_t n;
};

static int make_table(void *arg)
{
	const struct locking *locking = arg;
	struct inet_lock *lock = locking->lock;
	int err = nft_open(&lock->owner);

	if (!err)
		err = netlink_move_above(&lock->owner, NETLINK_NETFILTER, locking->r->service_base);
	if (!err)
		err = nft_lock_make(lock->owner, lock->table, true,
				    &(struct nft_lock){ .connections = locking->all, .nr_connections = locking->n });
	return err < 0 ? cannot_lock(err) : 0;
}

static int lock_network(struct restore *r, const struct inet_restore *data, struct inet_lock *lock)
{
	_cleanup_free_ struct nft_connection *all = calloc(r->plan.nr_files, sizeof(*all));
	struct locking locking = { r, lock, all, 0 };
	int err;

	if (!all)
		return fail(-ENOMEM, "network lock");
	locking.n = list_connections(data, lock->network, all);
	if (!locking.n)
		return 0;
	err = name_table(getpid(), lock->table, sizeof(lock->table));
	return err < 0 ? cannot_lock(err) : network_run(r, lock->network, make_table, &locking);
}

int inet_lock_restore(struct restore *r, struct inet_restore *data)
{
	struct ns *ns;
	int err = 0;

	if (!data->connected || is_skipped(method_of(r)))
		return 0;
	ns_for_each(ns, &r->plan.namespaces, NS_NET) {
		struct inet_lock *lock = err ? NULL : restore_alloc(r, sizeof(*lock));

		if (err)
			break;
		if (!lock)
			return fail(-ENOMEM, "network lock");
		lock->network = ns;
		lock->next = data->locks;
		data->locks = lock;
		err = lock_network(r, data, lock);
	}
	return err;
}

static bool is_lock_name(const char *name)
{
	return str_has_prefix(name, NFT_LOCK_PREFIX) && strlen(name) < 64;
}

/*
 * On another machine, or after a reboot, there is no table. On this one, its absence means that the peers were
 * unblocked.
 */
static bool was_unlocked(const InetSkEntry *entry)
{
	char now[BOOT_ID_LEN + 1];

	return entry->lock_boot && !boot_id_read(now) && str_eq(entry->lock_boot, now);
}

/* The table that the dump left in this namespace: usually one for all connections. */
static void remove_persistent(const struct inet_restore *data, const struct ns *network)
{
	_cleanup_netlink_ struct nl_sock *netlink = NULL;
	const char *last = "";
	bool reported = false;

	for (const struct inet_socket *sk = data->first; sk; sk = sk->next) {
		const char *table = sk->entry->lock;
		int err = 0;

		if (network_of(sk) != network || !sk->entry->lock || str_eq(table, last) || !is_lock_name(table))
			continue;
		last = table;
		if (!netlink)
			err = nft_open(&netlink);
		if (!err)
			err = nft_lock_remove(netlink, table);
		if (err == -ENOENT && !reported && was_unlocked(sk->entry)) {
			log_warn("the connections of these images were not blocked all the time since the dump "
				 "(restored before, or left running?); those whose peers have made progress are lost; "
				 "--tcp-close restores them closed");
			reported = true;
		}
		if (err && err != -ENOENT)
			log_warn("the network remains locked; remove the table with `nft delete table inet %s` (errno "
				 "%d)",
				 table, -err);
	}
}

static void remove_own(struct inet_lock *lock)
{
	if (!lock->owner)
		return;
	/* By name: restored tasks may still have copies of the socket that owns it. */
	nft_lock_remove(lock->owner, lock->table);
	netlink_close(&lock->owner);
}

void inet_lock_remove_own(struct restore *r, struct inet_restore *data)
{
	for (struct inet_lock *lock = data->locks; lock; lock = lock->next)
		remove_own(lock);
}

static bool has_persistent(const struct inet_restore *data, const struct ns *network)
{
	const struct inet_socket *sk = data->first;

	while (sk && !(sk->entry->lock && network_of(sk) == network))
		sk = sk->next;
	return sk;
}

struct unlocking {
	const struct inet_restore *data;
	const struct ns *network;
};

static int unlock_network(void *arg)
{
	const struct unlocking *unlocking = arg;

	remove_persistent(unlocking->data, unlocking->network);
	return 0;
}

void inet_unlock(struct restore *r, struct inet_restore *data)
{
	struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_NET) {
		if (has_persistent(data, ns))
			network_run(r, ns, unlock_network, &(struct unlocking){ data, ns });
	}
	inet_lock_remove_own(r, data);
}
