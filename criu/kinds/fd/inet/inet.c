// SPDX-License-Identifier: GPL-2.0-only
/*
 * Internet sockets: TCP, UDP, UDP-Lite, raw and ICMP over IPv4 and IPv6. The table, and the once-per-run hooks: this
 * file calls the others, none of them calls this one.
 */
#include "kinds/fd/inet/describe.h"
#include "netlink/exchange.h"
#include "kinds/fd/inet/backlog.h"
#include "kinds/fd/inet/check.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/keeper.h"
#include "kinds/fd/inet/load.h"
#include "kinds/fd/inet/lock.h"
#include "kinds/fd/inet/move_address.h"
#include "kinds/fd/inet/open.h"
#include "kinds/fd/inet/options_save.h"
#include "kinds/fd/inet/read.h"
#include "kinds/fd/inet/save.h"
#include "kinds/fd/inet/tcp_save.h"
#include "run/network.h"
#include "util/fds.h"

/* ---- dump ---- */

#define for_each_network(data, all) for (struct inet_dump *data = (all) ? (all)->first : NULL; data; data = data->next)

/* In each namespace; the first error ends it. */
static int in_each_network(struct dump *dump, int (*fn)(struct dump *, struct inet_dump *))
{
	int err = 0, back;

	for_each_network(data, inet_networks(dump))
	{
		if (!err)
			err = dump_enter_network(dump, data->network);
		if (!err)
			err = fn(dump, data);
	}
	back = dump_enter_network(dump, NULL);
	return err ? err : back;
}

static int inet_save_end(struct dump *dump)
{
	int err = inet_lock_announce(dump);

	return err ? err : in_each_network(dump, inet_read_held);
}

static int inet_save_rest(struct dump *dump)
{
	int err = 0;

	for_each_network(data, inet_networks(dump))
	{
		if (!err)
			err = inet_write_deferred(dump, data);
	}
	return err;
}

static int commit(struct dump *dump, struct inet_dump *data)
{
	if (!data->nr_streams)
		return 0;
	keeper_tree_ends(data->keeper);
	return inet_lock_persist(dump, data);
}

static int inet_save_commit(struct dump *dump)
{
	return inet_tree_ends(dump) ? in_each_network(dump, commit) : 0;
}

static void end_network(struct inet_dump *data)
{
	for (struct inet_held *held = data->first; held; held = held->next)
		if (held->local >= 0)
			close(steal_fd(&held->local));
	keeper_free(steal_ptr(&data->keeper));
	inet_backlog_close(data);
	inet_fresh_close(data);
	netlink_close(&data->diag);
	inet_lock_release(data);
}

static void inet_saved(struct dump *dump)
{
	for_each_network(data, inet_networks(dump))
	{
		if (inet_tree_ends(dump))
			tcp_close_silently(data);
		end_network(data);
	}
	network_announce_unlock(dump, !inet_tree_ends(dump));
}

static void inet_save_undo(struct dump *dump)
{
	for_each_network(data, inet_networks(dump))
	{
		inet_lock_undo(data);
		end_network(data);
	}
	network_announce_unlock(dump, true);
}

/* ---- restore ---- */

static struct inet_restore *existing_restore_data(struct restore *r)
{
	return *restore_kind_data(r, &inet_kind);
}

static int inet_link(struct restore *r, struct file *file, void *state)
{
	return inet_backlog_link(r, file, state);
}

/* After the last file: a peer may come after its connection. */
static int inet_all_loaded(struct restore *r)
{
	struct inet_restore *data = existing_restore_data(r);

	return data ? inet_move_addresses(r, data) : 0;
}

static int inet_in_namespaces(struct restore *r)
{
	struct inet_restore *data = existing_restore_data(r);

	return data ? inet_lock_restore(r, data) : 0;
}

static int inet_ready(struct restore *r)
{
	const struct inet_restore *data = existing_restore_data(r);

	return data ? inet_revive_all(r, data) : 0;
}

static void inet_committed(struct restore *r)
{
	struct inet_restore *data = existing_restore_data(r);

	if (!data)
		return;
	inet_unlock(r, data);
	inet_push_all(r, data);
}

static void inet_failed(struct restore *r)
{
	struct inet_restore *data = existing_restore_data(r);

	if (data)
		inet_lock_remove_own(r, data);
}

const struct fd_kind inet_kind = {
	.name = "inet",
	.image_type = FD_TYPES__INETSK,
	.for_untrusted = true,
	.in_network = true,
	.state_size = sizeof(struct inet_socket),
	.claims = inet_claims,
	.save = inet_save,
	.load = inet_load,
	.link = inet_link,
	.open = inet_open,
	.finish = inet_finish,
	.check = inet_check,
	.describe = inet_describe,
};

const struct run_kind inet_run = {
	.name = "inet",
	.save_end = inet_save_end,
	.save_rest = inet_save_rest,
	.save_commit = inet_save_commit,
	.saved = inet_saved,
	.save_undo = inet_save_undo,
	.link = inet_all_loaded,
	.in_namespaces = inet_in_namespaces,
	.ready = inet_ready,
	.committed = inet_committed,
	.failed = inet_failed,
};
