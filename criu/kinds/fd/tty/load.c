// SPDX-License-Identifier: GPL-2.0-only
/* Restore of terminals: loads the records and combines them into pairs. */
#include <asm/termbits.h>
#include <errno.h>
#include <string.h>
#include "kernel/device.h"
#include "kinds/fd/tty/internal.h"
#include "run/restore.h"
#include "tty.pb-c.h"
#include "util/log.h"

static enum tty_role tty_role_of_info(const TtyInfoEntry *info)
{
	return info->type == TTY_TYPE__CTTY ? TTY_OWN : tty_role_of(info->rdev);
}

static struct tty_pair *tty_pair_of(struct tty_restore *all, uint32_t index)
{
	for (size_t i = 0; i < all->nr_pairs; i++)
		if (all->pairs[i].index == index)
			return &all->pairs[i];
	return NULL;
}

static bool tty_is_external(const TtyInfoEntry *info)
{
	return info->type == TTY_TYPE__EXT_TTY || info->type == TTY_TYPE__VT || info->type == TTY_TYPE__CONSOLE ||
	       info->type == TTY_TYPE__SERIAL;
}

static int tty_check_info(const TtyInfoEntry *info)
{
	struct tty_termios t;
	enum tty_role role = tty_role_of_info(info);
	int err = 0;

	if (tty_is_external(info))
		return tty_external_check(info);
	if (info->type != TTY_TYPE__PTY && info->type != TTY_TYPE__CTTY)
		return fail(-ENOTSUP, "tty-info.img: terminal %u: unknown type %u", info->id, info->type);
	if (role != TTY_MASTER && role != TTY_SLAVE && role != TTY_OWN)
		return fail(-EBADMSG, "tty-info.img: terminal %u: invalid device 0x%x", info->id, info->rdev);
	if (role != TTY_OWN && (!info->pty || info->pty->index >= 1u << KDEV_MINOR_BITS))
		return fail(-EBADMSG, "tty-info.img: terminal %u: invalid index", info->id);
	if (info->stopped > TTY_STOPPED_BY_CALL || info->packet_status > UINT8_MAX)
		return fail(-EBADMSG, "tty-info.img: terminal %u: invalid state %u, %u", info->id, info->stopped,
			    info->packet_status);
	if (info->termios)
		err = tty_termios_load(info->termios, &t);
	if (!err && info->termios_locked)
		err = tty_termios_load(info->termios_locked, &t);
	return err;
}

static int tty_join_pair(struct tty_restore *all, TtyInfoEntry *info)
{
	enum tty_role role = tty_role_of_info(info);
	struct tty_pair *pair;
	TtyInfoEntry **to;

	if (tty_is_external(info))
		all->externals[all->nr_externals++] = (struct tty_external){ .info = info, .fd = -1 };
	if (role == TTY_OWN || tty_is_external(info))
		return 0;
	pair = tty_pair_of(all, info->pty->index);
	if (!pair) {
		pair = &all->pairs[all->nr_pairs++];
		pair->index = info->pty->index;
		pair->master_fd = pair->slave_fd = -1;
	}
	to = role == TTY_MASTER ? &pair->master : info->termios ? &pair->slave : &pair->hung_info;
	if (*to)
		return fail(-EBADMSG, "tty-info.img: duplicate record of one end of terminal %u", pair->index);
	*to = info;
	return 0;
}

/* Without a master every slave is hung up: a terminal is created for them, and its master closed. */
static void tty_prepare_hung(struct tty_restore *all)
{
	for (size_t i = 0; i < all->nr_pairs; i++) {
		struct tty_pair *pair = &all->pairs[i];

		if (pair->hung_info && !pair->master && !pair->slave) {
			pair->slave = pair->hung_info;
			pair->hung_info = NULL;
		}
	}
}

/* Those of sessions that are led in the tree. */
static void tty_find_other_masters(struct restore *r, struct tty_restore *all)
{
	for (size_t i = 0; r->opts->orphan_pts_master && i < all->nr_pairs; i++) {
		struct tty_pair *pair = &all->pairs[i];
		uint64_t leader;

		if (tty_pair_is_users(pair) && pair->slave->sid)
			pair->other_master = hash_get(&r->plan.task_by_pid, pair->slave->sid, &leader);
	}
}

static int tty_join_data(struct tty_restore *all, TtyDataEntry *data)
{
	if (data->data.len > TTY_BYTES_MAX || data->n_eof_at > TTY_EOFS_MAX)
		return fail(-EBADMSG, "tty-data.img: %zu bytes for terminal %u", data->data.len, data->tty_id);
	for (size_t i = 0; i < data->n_eof_at; i++)
		if (data->eof_at[i] > data->data.len || (i && data->eof_at[i] < data->eof_at[i - 1]))
			return fail(-EBADMSG, "tty-data.img: offset %u for terminal %u", data->eof_at[i], data->tty_id);
	for (size_t i = 0; i < all->nr_pairs; i++) {
		struct tty_pair *pair = &all->pairs[i];

		if (pair->master && pair->master->id == data->tty_id)
			pair->master_data = data;
		if (pair->slave && pair->slave->id == data->tty_id)
			pair->slave_data = data;
	}
	return 0;
}

static int tty_read_images(struct restore *r, struct tty_restore *all)
{
	struct restore_records infos, data;
	int err = restore_read_records(r, IMAGE_TTY_INFO, 0, &tty_info_entry__descriptor, &infos);

	if (!err)
		err = restore_read_records(r, IMAGE_TTY_DATA, 0, &tty_data_entry__descriptor, &data);
	if (err)
		return err;
	all->infos = (TtyInfoEntry **)infos.v;
	all->nr_infos = infos.n;
	all->data = (TtyDataEntry **)data.v;
	all->nr_data = data.n;
	all->terminal_fd = -1;
	all->pairs = restore_alloc(r, (all->nr_infos + 1) * sizeof(*all->pairs));
	all->externals = restore_alloc(r, (all->nr_infos + 1) * sizeof(*all->externals));
	if (!all->pairs || !all->externals)
		return fail(-ENOMEM, "terminals");
	for (size_t i = 0; !err && i < all->nr_infos; i++) {
		err = tty_check_info(all->infos[i]);
		if (!err)
			err = tty_join_pair(all, all->infos[i]);
	}
	tty_prepare_hung(all);
	tty_find_other_masters(r, all);
	for (size_t i = 0; !err && i < all->nr_data; i++)
		err = tty_join_data(all, all->data[i]);
	return err;
}

/* The terminal that /dev/tty led to. */
static struct tty_pair *tty_pair_of_own(struct tty_restore *all, const TtyInfoEntry *info)
{
	if (info->pty)
		return tty_pair_of(all, info->pty->index);
	for (size_t i = 0; i < all->nr_pairs; i++)
		if (info->sid && all->pairs[i].slave && all->pairs[i].slave->sid == info->sid)
			return &all->pairs[i];
	return NULL;
}

int tty_load(struct restore *r, struct file *file, void *state)
{
	struct tty_restore *all = tty_restore_of(r);
	struct tty_state *ts = state;
	int err;

	if (!file->entry->tty)
		return fail(-EBADMSG, "files.img: file %u is a terminal, but has no entry for it", file->id);
	if (!all) {
		all = *restore_kind_data(r, &tty_kind) = restore_alloc(r, sizeof(*all));
		err = all ? tty_read_images(r, all) : fail(-ENOMEM, "terminals");
		if (err < 0)
			return err;
	}
	for (size_t i = 0; i < all->nr_infos; i++)
		if (all->infos[i]->id == file->entry->tty->tty_info_id)
			ts->info = all->infos[i];
	if (!ts->info)
		return fail(-EBADMSG, "files.img: file %u: terminal %u is not in tty-info.img", file->id,
			    file->entry->tty->tty_info_id);
	if (tty_is_external(ts->info))
		return tty_external_load(r, file, ts);
	ts->role = tty_role_of_info(ts->info);
	ts->pair = ts->role == TTY_OWN ? tty_pair_of_own(all, ts->info) : tty_pair_of(all, ts->info->pty->index);
	return 0;
}

/* The device that the master was opened by: /dev/ptmx, or the ptmx of a separate devpts. */
static void tty_link_ptmx(struct restore *r, const struct file *file, struct tty_pair *pair)
{
	const TtyFileEntry *tty = file->entry->tty;
	const struct file *reg = tty->has_regf_id ? restore_file(r, tty->regf_id, "a terminal") : NULL;
	const char *name = reg && reg->entry->reg ? reg->entry->reg->name : NULL;
	size_t len = name ? strlen(name) : 0;

	if (len >= 5 && !strcmp(name + len - 5, "/ptmx"))
		pair->ptmx = name;
}

static int tty_link_hung(struct restore *r, const struct file *file, struct tty_state *ts)
{
	struct tty_hung *hung = restore_alloc(r, sizeof(*hung));

	if (!hung)
		return fail(-ENOMEM, "terminals");
	if (!ts->pair->master)
		return fail(-EBADMSG,
			    "tty-info.img: terminal %u is recorded as hung up and as not hung up, and has no "
			    "master",
			    ts->pair->index);
	*hung = (struct tty_hung){ .next = ts->pair->hung, .flags = file->entry->tty->flags, .fd = -1 };
	ts->pair->hung = ts->hung = hung;
	return 0;
}

int tty_link(struct restore *r, struct file *file, void *state)
{
	struct tty_restore *all = tty_restore_of(r);
	struct tty_state *ts = state;
	struct tty_pair *pair = ts->pair;

	if (ts->external)
		return tty_external_link(r, file, ts->external);
	if (ts->role == TTY_OWN && !pair && !r->opts->shell_job && !tty_external_of_session(all, ts->info->sid))
		return fail(-EINVAL, "file %u: /dev/tty of a session that is not in the images; use --shell-job",
			    file->id);
	if (!pair)
		return 0;
	if (ts->info == pair->hung_info)
		return tty_link_hung(r, file, ts);
	if (tty_pair_is_users(pair)) {
		if (!r->opts->shell_job)
			return fail(-EINVAL,
				    "the images contain a user's terminal (/dev/pts/%u); use --shell-job, and restore "
				    "in a terminal",
				    pair->index);
		if (all->own && all->own != pair)
			return fail(-ENOTSUP,
				    "the images contain two terminals of the user: /dev/pts/%u and /dev/pts/%u",
				    all->own->index, pair->index);
		all->own = pair;
	}
	if (ts->role == TTY_MASTER) {
		if (pair->master_file && pair->master_file != file)
			return fail(-EBADMSG, "files.img: files %u and %u are both the master of terminal %u",
				    pair->master_file->id, file->id, pair->index);
		pair->master_file = file;
		tty_link_ptmx(r, file, pair);
	} else {
		pair->has_slave_file = true;
	}
	return 0;
}
