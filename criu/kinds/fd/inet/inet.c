// SPDX-License-Identifier: GPL-2.0-only
/*
 * Internet sockets: TCP, UDP, UDP-Lite, raw and ICMP over IPv4 and IPv6. The table, and the once-per-run hooks: this
 * file calls the others, none of them calls this one.
 */
#include "netlink/exchange.h"
#include "kinds/fd/inet/backlog.h"
#include "kinds/fd/inet/data.h"
#include "kinds/fd/inet/keeper.h"
#include "kinds/fd/inet/load.h"
#include "kinds/fd/inet/lock.h"
#include "kinds/fd/inet/open.h"
#include "kinds/fd/inet/options_save.h"
#include "kinds/fd/inet/read.h"
#include "kinds/fd/inet/save.h"
#include "kinds/fd/inet/tcp_save.h"
#include "util/fds.h"

/* ---- dump ---- */

/* NULL: the tree has no internet sockets. */
static struct inet_dump *existing_dump_data(struct dump *dump)
{
	return *dump_kind_data(dump, &inet_kind);
}

static int inet_save_end(struct dump *dump)
{
	struct inet_dump *data = existing_dump_data(dump);

	return data ? inet_read_held(dump, data) : 0;
}

static int inet_save_rest(struct dump *dump)
{
	const struct inet_dump *data = existing_dump_data(dump);

	return data ? inet_write_deferred(dump, data) : 0;
}

static int inet_save_commit(struct dump *dump)
{
	struct inet_dump *data = existing_dump_data(dump);

	if (!data || !data->nr_streams || !inet_tree_ends(dump))
		return 0;
	keeper_tree_ends(data->keeper);
	return inet_lock_persist(dump, data);
}

static void end_dump(struct dump *dump, struct inet_dump *data, bool keeps_running)
{
	for (struct inet_held *held = data->first; held; held = held->next)
		if (held->local >= 0)
			close(steal_fd(&held->local));
	keeper_free(steal_ptr(&data->keeper));
	inet_backlog_close(data);
	inet_fresh_close(data);
	netlink_close(&data->diag);
	inet_lock_release(dump, data, keeps_running);
}

static void inet_saved(struct dump *dump)
{
	struct inet_dump *data = existing_dump_data(dump);

	if (!data)
		return;
	if (inet_tree_ends(dump))
		tcp_close_silently(data);
	end_dump(dump, data, !inet_tree_ends(dump));
}

static void inet_save_undo(struct dump *dump)
{
	struct inet_dump *data = existing_dump_data(dump);

	if (!data)
		return;
	inet_lock_undo(data);
	end_dump(dump, data, true);
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
		inet_lock_remove_own(data);
}

const struct fd_kind inet_kind = {
	.name = "inet",
	.image_type = FD_TYPES__INETSK,
	.for_untrusted = true,
	.state_size = sizeof(struct inet_socket),
	.claims = inet_claims,
	.save = inet_save,
	.load = inet_load,
	.link = inet_link,
	.open = inet_open,
	.finish = inet_finish,
};

const struct run_kind inet_run = {
	.name = "inet",
	.save_end = inet_save_end,
	.save_rest = inet_save_rest,
	.save_commit = inet_save_commit,
	.saved = inet_saved,
	.save_undo = inet_save_undo,
	.in_namespaces = inet_in_namespaces,
	.ready = inet_ready,
	.committed = inet_committed,
	.failed = inet_failed,
};
