// SPDX-License-Identifier: GPL-2.0-only
/* System V semaphore sets: semctl(2) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "internal.h"
#include "ipc-sem.pb-c.h"
#include "kernel/sem.h"
#include "kinds/kinds.h"
#include "util/array.h"
#include "util/hash.h"
#include "util/log.h"

/* Values are padded to this in images. */
#define PADDING 8
#define VALUE_MAX 32767 /* SEMVMX */

/* As semctl(2) wants it to be declared. */
union sem_arg {
	int val;
	struct semid_ds *set;
	unsigned short *values;
};

static size_t padded_size(size_t nsems)
{
	return ROUND_UP(nsems * sizeof(unsigned short), PADDING);
}

/* ---- dump ---- */

static int write_set(struct dump *dump, struct image_writer *img, const struct sem_set *set, const struct semid_ds *ds)
{
	size_t size = padded_size(set->nr);
	_cleanup_free_ unsigned short *values = calloc(1, size);
	IpcSemEntry entry = IPC_SEM_ENTRY__INIT;
	IpcDescEntry desc;
	int err;

	if (!values)
		return fail(-ENOMEM, "semaphores");
	if (semctl(set->id, 0, GETALL, (union sem_arg){ .values = values }) < 0)
		return fail(-errno, "read semaphore set %d", set->id);
	ipc_desc_fill(dump, &ds->sem_perm, set->id, &desc);
	entry.desc = &desc;
	entry.nsems = set->nr;
	entry.has_used = entry.used = ds->sem_otime != 0;
	err = image_write_record(img, &entry.base);
	if (!err)
		err = image_write_raw(img, values, size);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int save_set(struct dump *dump, struct image_writer *img, const struct sem_set *set)
{
	struct semid_ds ds = { 0 };
	int err = semctl(set->id, 0, IPC_STAT, (union sem_arg){ .set = &ds }) < 0 ? -errno : 0;

	if (!err)
		return write_set(dump, img, set, &ds);
	/* The tree runs. */
	if (dump_is_check(dump) && (err == -EIDRM || err == -EINVAL))
		return 0;
	return fail(err, "query semaphore set %d", set->id);
}

int ipc_sem_save(struct dump *dump, const struct ns *ns)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	struct sem_set_array sets = { 0 };
	int unreadable = 0, err = sem_sets_read(&sets, &unreadable);

	if (!err)
		err = unreadable;
	if (err) {
		array_free(&sets);
		return err == -ENOSYS ? 0 : fail(err, "query the semaphore sets");
	}
	if (sets.n)
		err = ipc_image_need(dump, IMAGE_IPCNS_SEM, ns, &img);
	for (size_t i = 0; !err && i < sets.n; i++)
		err = save_set(dump, img, &sets.v[i]);
	array_free(&sets);
	return err ? err : ipc_image_complete(dump, &img);
}

/* ---- restore ---- */

struct set {
	IpcSemEntry *entry;
	unsigned short *values;
};

ARRAY_OF(set_array, struct set);

struct ipc_sem_sets {
	const struct set *v; /* sorted by id: sem_undo asks for the value of each semaphore that it adjusts */
	size_t n;
};

static int check_set(const struct ns *ns, const IpcSemEntry *e, const unsigned short *values)
{
	int err = 0;

	if (!e->nsems)
		return fail(-EBADMSG, "ipcns-sem-%u.img: set %u has no semaphores", ns->id, e->desc->id);
	for (uint32_t i = 0; !err && i < e->nsems; i++)
		if (values[i] > VALUE_MAX)
			err = fail(-EBADMSG, "ipcns-sem-%u.img: set %u: invalid value %u", ns->id, e->desc->id,
				   values[i]);
	return err;
}

static int keep_set(struct restore *r, struct image_reader *img, const struct ns *ns, IpcSemEntry *e,
		    struct set_array *sets)
{
	size_t size = padded_size(e->nsems);
	struct set set = { .entry = e };
	const void *raw;
	int err = image_read_raw(img, size, &raw);

	if (err)
		return fail(err, "%s", image_error(img));
	set.values = restore_alloc(r, size);
	if (!set.values || array_add(sets, set))
		return fail(-ENOMEM, "semaphores");
	memcpy(set.values, raw, size);
	return check_set(ns, e, set.values);
}

static int read_sets(struct restore *r, struct image_reader *img, const struct ns *ns, struct set_array *sets)
{
	_cleanup_hash_ struct hash ids = { 0 };
	IpcSemEntry *e;
	int got, err = 0;

	while (!err && (got = image_read_record(img, &ipc_sem_entry__descriptor, &e))) {
		err = got < 0 ? fail(got, "%s", image_error(img)) : ipc_desc_check("ipcns-sem", ns->id, e->desc, &ids);
		if (!err)
			err = keep_set(r, img, ns, e, sets);
	}
	return err;
}

static int compare_sets(const void *a, const void *b)
{
	uint32_t x = ((const struct set *)a)->entry->desc->id, y = ((const struct set *)b)->entry->desc->id;

	return (x > y) - (x < y);
}

/* To where they live as long as the plan. */
static int keep_sorted(struct restore *r, struct set_array *sets, struct ipc_sem_sets *to)
{
	struct set *v = restore_alloc(r, sets->n * sizeof(*v));

	if (!v)
		return fail(-ENOMEM, "semaphores");
	array_sort(sets, compare_sets);
	memcpy(v, sets->v, sets->n * sizeof(*v));
	*to = (struct ipc_sem_sets){ v, sets->n };
	return 0;
}

int ipc_sem_load(struct restore *r, const struct ns *ns, struct ipc_ns_state *state)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	struct set_array sets = { 0 };
	int err = image_open(r->dir, IMAGE_IPCNS_SEM, ns->id, &img);

	state->sems = restore_alloc(r, sizeof(*state->sems));
	if (!state->sems)
		return fail(-ENOMEM, "semaphores");
	if (err)
		return err == -ENOENT ? 0 : fail(err, "%s", image_store_error(r->dir));
	image_use_allocator(img, &r->arena.protobuf);
	err = read_sets(r, img, ns, &sets);
	if (!err && sets.n)
		err = keep_sorted(r, &sets, state->sems);
	array_free(&sets);
	return err;
}

static const struct set *find_set(const struct ipc_sem_sets *sets, int id)
{
	IpcDescEntry desc = { .id = (uint32_t)id };
	IpcSemEntry entry = { .desc = &desc };
	struct set key = { .entry = &entry };

	return sets && sets->n ? bsearch(&key, sets->v, sets->n, sizeof(key), compare_sets) : NULL;
}

bool ipc_ns_sem_value(const struct ns *ns, int id, unsigned num, unsigned *ret_value)
{
	const struct ipc_ns_state *state = ns->data;
	const struct set *set = state ? find_set(state->sems, id) : NULL;

	if (!set || num >= set->entry->nsems)
		return false;
	*ret_value = set->values[num];
	return true;
}

static int create_set(const void *arg)
{
	const IpcSemEntry *e = arg;
	int id = semget((key_t)e->desc->key, (int)e->nsems, IPC_CREAT | IPC_EXCL | (int)(e->desc->mode & 0777));

	return id < 0 ? -errno : id;
}

static int remove_set(int id)
{
	return semctl(id, 0, IPC_RMID);
}

static const struct ipc_type set_type = { "sem_next_id", create_set, remove_set };

/* An operation that changes nothing sets sem_otime. */
static int mark_used(const struct set *set)
{
	struct sembuf ops[2] = { { .sem_op = -1, .sem_flg = IPC_NOWAIT }, { .sem_op = 1, .sem_flg = IPC_NOWAIT } };
	size_t n = 2;

	if (!set->values[0]) {
		ops[0].sem_op = 0;
		n = 1;
	}
	return semop((int)set->entry->desc->id, ops, n) < 0 ? -errno : 0;
}

static int restore_set(struct restore *r, const struct set *set)
{
	const IpcDescEntry *desc = set->entry->desc;
	LOG_SCOPE("set %u of %u semaphores, key %#x", desc->id, set->entry->nsems, desc->key);
	struct semid_ds ds = { 0 };
	int err = ipc_create(&r->rights, desc, &set_type, set->entry);

	if (err)
		return err;
	ds.sem_perm.uid = desc->uid;
	ds.sem_perm.gid = desc->gid;
	ds.sem_perm.mode = (unsigned short)(desc->mode & 0777);
	if (semctl((int)desc->id, 0, SETALL, (union sem_arg){ .values = set->values }) < 0)
		err = -errno;
	if (!err && set->entry->used)
		err = mark_used(set);
	if (!err && semctl((int)desc->id, 0, IPC_SET, (union sem_arg){ .set = &ds }) < 0)
		err = -errno;
	return err ? fail(err, "set its values and owner") : 0;
}

int ipc_sem_fill(struct restore *r, const struct ipc_ns_state *state)
{
	int err = 0;

	for (size_t i = 0; !err && i < state->sems->n; i++)
		err = restore_set(r, &state->sems->v[i]);
	return err;
}
