// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf(2) maps with plain data: recreated, filled, frozen. Anything beyond plain data is refused by name: a map in use
 * by a BPF program (whose effects on it are not visible), per-CPU and special types, maps with type information.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "bpfmap-data.pb-c.h"
#include "bpfmap-file.pb-c.h"
#include "image/reader.h"
#include "kernel/fdinfo.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/record_table.h"
#include "kinds/fd/reopen.h"
#include "kinds/kinds.h"
#include "run/describe.h"
#include "util/fds.h"

#define BPFMAP_BYTES_MAX (1ull << 30) /* keys and values of one map: an image should not contain more */

static int bpfmap_sys(int cmd, union bpf_attr *attr)
{
	int ret = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

static bool bpfmap_type_is_plain(uint32_t type)
{
	return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_LRU_HASH ||
	       type == BPF_MAP_TYPE_LPM_TRIE;
}

/* ---- dump ------------------------------------------------------------------------------- */

static bool bpfmap_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "bpf-map");
}

static int bpfmap_info(int fd, struct bpf_map_info *ret_info)
{
	union bpf_attr attr = { 0 };

	memset(ret_info, 0, sizeof(*ret_info));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*ret_info);
	attr.info.info = (uintptr_t)ret_info;
	return bpfmap_sys(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

/* Id of a loaded program that uses the map, or 0. */
static uint32_t bpfmap_user(uint32_t map_id)
{
	union bpf_attr attr = { 0 };
	uint32_t maps[64], id = 0;

	while (attr.start_id = id, !bpfmap_sys(BPF_PROG_GET_NEXT_ID, &attr)) {
		struct bpf_prog_info info = { .nr_map_ids = ARRAY_SIZE(maps), .map_ids = (uintptr_t)maps };
		union bpf_attr query = { .prog_id = id = attr.next_id };
		_cleanup_close_ int fd = bpfmap_sys(BPF_PROG_GET_FD_BY_ID, &query);

		memset(&attr, 0, sizeof(attr));
		if (fd < 0)
			continue;
		memset(&query, 0, sizeof(query));
		query.info.bpf_fd = (uint32_t)fd;
		query.info.info_len = sizeof(info);
		query.info.info = (uintptr_t)&info;
		if (bpfmap_sys(BPF_OBJ_GET_INFO_BY_FD, &query) < 0)
			continue;
		for (uint32_t i = 0; i < info.nr_map_ids && i < ARRAY_SIZE(maps); i++)
			if (maps[i] == map_id)
				return id;
	}
	return 0;
}

/* false: there is a blocker. */
static bool bpfmap_can_save(struct dump *dump, const struct fd_probe *probe, const struct bpf_map_info *info)
{
	uint64_t bytes = (uint64_t)info->max_entries * ((uint64_t)info->key_size + info->value_size);
	uint32_t user = bpfmap_user(info->id);
	const char *why = NULL;

	if (!bpfmap_type_is_plain(info->type))
		why = "is of a type whose content cannot be saved (only hash, array, LRU hash and LPM trie can)";
	else if (info->ifindex)
		why = "is offloaded to a network device";
	else if (info->btf_id || info->btf_vmlinux_value_type_id)
		why = "has type information (BTF), which is not implemented";
	else if (info->map_flags & (BPF_F_NUMA_NODE | BPF_F_INNER_MAP))
		why = "is bound to a NUMA node, or part of another map";
	else if (bytes > BPFMAP_BYTES_MAX)
		why = "has a capacity of more than 1 GiB";
	if (why)
		dump_blocker(dump, probe->task, probe->fd, "BPF map %u (%s), type %u: %s: close it first", info->id,
			     info->name, info->type, why);
	else if (user)
		dump_blocker(
			dump, probe->task, probe->fd,
			"BPF map %u (%s) is used by BPF program %u, which cannot be saved: unload the program first",
			info->id, info->name, user);
	return !why && !user;
}

/* All keys and values, one by one, as some kernels have no batch operations for LPM tries. */
static int bpfmap_read(int fd, const struct bpf_map_info *info, void *keys, void *values, uint32_t *ret_count)
{
	union bpf_attr attr = { 0 };
	char *key = keys, *last = NULL;
	uint32_t n = 0;
	int err;

	while (n < info->max_entries) {
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = (uint32_t)fd;
		attr.key = (uintptr_t)last;
		attr.next_key = (uintptr_t)key;
		err = bpfmap_sys(BPF_MAP_GET_NEXT_KEY, &attr);
		if (err == -ENOENT)
			break;
		if (err < 0)
			return err;
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = (uint32_t)fd;
		attr.key = (uintptr_t)key;
		attr.value = (uintptr_t)values + n * (size_t)info->value_size;
		err = bpfmap_sys(BPF_MAP_LOOKUP_ELEM, &attr);
		if (err < 0)
			return err;
		last = key;
		key += info->key_size;
		n++;
	}
	*ret_count = n;
	return 0;
}

static int bpfmap_write_data(struct dump *dump, const struct bpf_map_info *info, const void *keys, const void *values,
			     uint32_t count)
{
	BpfmapDataEntry data = BPFMAP_DATA_ENTRY__INIT;
	struct image_writer *img;
	int err = dump_shared_image(dump, IMAGE_BPFMAP_DATA, &img);

	if (err < 0)
		return err;
	data.map_id = info->id;
	data.count = count;
	data.keys_bytes = count * info->key_size;
	data.values_bytes = count * info->value_size;
	err = image_write_record(img, &data.base);
	if (!err)
		err = image_write_raw(img, keys, data.keys_bytes);
	if (!err)
		err = image_write_raw(img, values, data.values_bytes);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* Once per map, however many descriptors it has. */
static int bpfmap_save_data(struct dump *dump, const struct fd_probe *probe, const struct bpf_map_info *info)
{
	struct record_table *seen = kind_data_of(&dump->arena, dump_kind_data(dump, &bpfmap_kind), sizeof(*seen));
	_cleanup_free_ void *keys = NULL, *values = NULL;
	_cleanup_close_ int fd = -1;
	union bpf_attr attr = { .map_id = info->id };
	uint32_t count;
	int err;

	if (!seen)
		return fail(-ENOMEM, "BPF map");
	if (record_find(seen, 0, info->id) || dump_is_check(dump))
		return 0;
	keys = calloc(info->max_entries, info->key_size);
	values = calloc(info->max_entries, info->value_size);
	if (!keys || !values || !record_new(&dump->arena, seen, 0, info->id, sizeof(struct record)))
		return fail(-ENOMEM, "BPF map");
	/* Their descriptor may be write-only. */
	fd = bpfmap_sys(BPF_MAP_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return fail(fd, "BPF map %u: open it", info->id);
	err = bpfmap_read(fd, info, keys, values, &count);
	if (err < 0)
		return fail(err, "BPF map %u (%s): read it", info->id, info->name);
	return bpfmap_write_data(dump, info, keys, values, count);
}

/* "frozen:\t1" of fdinfo */
static uint64_t bpfmap_number(const struct fdinfo *info, const char *key)
{
	const char *at = info->other.data ? strstr(info->other.data, key) : NULL;

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static int bpfmap_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	BpfmapFileEntry *bpf = dump_alloc(dump, sizeof(*bpf));
	struct bpf_map_info info;
	struct fdinfo *fdinfo;
	int err = fd_probe_info(dump, (struct fd_probe *)probe, &fdinfo);

	if (err < 0)
		return err;
	if (!bpf)
		return fail(-ENOMEM, "BPF map");
	bpfmap_file_entry__init(bpf);
	entry->bpf = bpf;
	err = bpfmap_info(probe->local, &info);
	if (err < 0)
		return fail(err, "query the type of a BPF map");
	bpf->id = entry->id;
	bpf->flags = probe->flags;
	bpf->map_type = info.type;
	bpf->key_size = info.key_size;
	bpf->value_size = info.value_size;
	bpf->map_id = info.id;
	bpf->max_entries = info.max_entries;
	bpf->map_flags = info.map_flags;
	bpf->memlock = bpfmap_number(fdinfo, "memlock:");
	bpf->frozen = bpfmap_number(fdinfo, "frozen:") != 0;
	bpf->map_name = dump_strdup(dump, info.name);
	bpf->ifindex = info.ifindex;
	if (!bpf->map_name)
		return fail(-ENOMEM, "BPF map");
	err = dump_fown(dump, probe, &bpf->fown);
	if (err < 0 || !bpfmap_can_save(dump, probe, &info))
		return err;
	return bpfmap_save_data(dump, probe, &info);
}

/* ---- restore ---------------------------------------------------------------------------- */

struct bpfmap_data {
	struct record record; /* 0, map id */
	const BpfmapDataEntry *entry;
	char *keys, *values;
};

/* bpfmap-data.img, once. */
static int bpfmap_load_data(struct restore *r)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	struct record_table *table;
	ProtobufCMessage *msg;
	const void *raw;
	int err;

	if (*restore_kind_data(r, &bpfmap_kind))
		return 0;
	table = kind_data_of(&r->arena, restore_kind_data(r, &bpfmap_kind), sizeof(*table));
	if (!table)
		return fail(-ENOMEM, "BPF maps");
	err = image_open(r->dir, IMAGE_BPFMAP_DATA, 0, &img);
	if (err == -ENOENT)
		return 0;
	if (err < 0)
		return fail(err, "%s", image_store_error(r->dir));
	while ((err = image_read_record(img, &bpfmap_data_entry__descriptor, &msg)) == 1) {
		const BpfmapDataEntry *entry = (const BpfmapDataEntry *)msg;
		struct bpfmap_data *data = NULL;
		uint64_t bytes = (uint64_t)entry->keys_bytes + entry->values_bytes;

		err = arena_defer(&r->arena, image_free_record, msg);
		if (!err && record_find(table, 0, entry->map_id))
			return fail(-EBADMSG, "bpfmap-data.img: duplicate map %u", entry->map_id);
		if (!err && (bytes > BPFMAP_BYTES_MAX || bytes > image_left(img)))
			return fail(-EBADMSG, "bpfmap-data.img: map %u: %lu bytes of data are missing", entry->map_id,
				    bytes);
		if (!err)
			data = record_new(&r->arena, table, 0, entry->map_id, sizeof(*data));
		if (data)
			data->keys = restore_alloc(r, bytes + 1);
		if (!data || !data->keys)
			return fail(-ENOMEM, "BPF maps");
		data->entry = entry;
		data->values = data->keys + entry->keys_bytes;
		err = image_read_raw(img, bytes, &raw);
		if (err < 0)
			break;
		memcpy(data->keys, raw, bytes);
	}
	return err < 0 ? fail(err, "%s", image_error(img)) : 0;
}

static int bpfmap_check_data(const struct file *file, const struct bpfmap_data *data)
{
	const BpfmapFileEntry *bpf = file->entry->bpf;

	if (!data)
		return 0;
	if (data->entry->count > bpf->max_entries ||
	    (uint64_t)data->entry->count * bpf->key_size != data->entry->keys_bytes ||
	    (uint64_t)data->entry->count * bpf->value_size != data->entry->values_bytes)
		return fail(-EBADMSG,
			    "bpfmap-data.img: map %u: %u entries do not match %u bytes of keys and %u bytes of values",
			    bpf->map_id, data->entry->count, data->entry->keys_bytes, data->entry->values_bytes);
	return 0;
}

static int bpfmap_load(struct restore *r, struct file *file, void *state)
{
	const BpfmapFileEntry *bpf = file->entry->bpf;
	int err;

	if (!bpf)
		return fail(-EBADMSG, "files.img: file %u: BPF map without a record", file->id);
	if (!bpfmap_type_is_plain(bpf->map_type) || bpf->ifindex || strlen(bpf->map_name) >= BPF_OBJ_NAME_LEN)
		return fail(-EBADMSG, "files.img: file %u: invalid BPF map of type %u named %s", file->id,
			    bpf->map_type, bpf->map_name);
	err = bpfmap_load_data(r);
	return err < 0 ? err :
			 bpfmap_check_data(file, record_find(*restore_kind_data(r, &bpfmap_kind), 0, bpf->map_id));
}

/* The first descriptor of a map in a task creates the map, and opens the others. */
static int bpfmap_link(struct restore *r, struct file *file, void *state)
{
	for (struct file *other = r->plan.files; other != file; other++) {
		if (other->kind == file->kind && other->owner && !other->maker &&
		    other->entry->bpf->map_id == file->entry->bpf->map_id) {
			file->maker = other;
			break;
		}
	}
	return 0;
}

static int bpfmap_create(const BpfmapFileEntry *bpf)
{
	union bpf_attr attr = { 0 };
	int fd;

	attr.map_type = bpf->map_type;
	attr.key_size = bpf->key_size;
	attr.value_size = bpf->value_size;
	attr.max_entries = bpf->max_entries;
	attr.map_flags = bpf->map_flags;
	attr.map_extra = bpf->has_map_extra ? bpf->map_extra : 0;
	memcpy(attr.map_name, bpf->map_name, strlen(bpf->map_name));
	fd = bpfmap_sys(BPF_MAP_CREATE, &attr);
	return fd < 0 ? fail(fd, "create BPF map %s of type %u with %u entries", bpf->map_name, bpf->map_type,
			     bpf->max_entries) :
			fd;
}

static int bpfmap_fill(int fd, const BpfmapFileEntry *bpf, const struct bpfmap_data *data)
{
	union bpf_attr attr;
	int err = 0;

	for (uint32_t i = 0; data && i < data->entry->count && err >= 0; i++) {
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = (uint32_t)fd;
		attr.key = (uintptr_t)data->keys + (uint64_t)i * bpf->key_size;
		attr.value = (uintptr_t)data->values + (uint64_t)i * bpf->value_size;
		err = bpfmap_sys(BPF_MAP_UPDATE_ELEM, &attr);
	}
	if (err < 0)
		return fail(err, "fill BPF map %s", bpf->map_name);
	if (!bpf->frozen)
		return 0;
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)fd;
	err = bpfmap_sys(BPF_MAP_FREEZE, &attr);
	return err < 0 ? fail(err, "freeze BPF map %s", bpf->map_name) : 0;
}

/* One more descriptor of the map @id, for what @bpf may do. */
static int bpfmap_open_id(struct restore *r, uint32_t id, const BpfmapFileEntry *bpf)
{
	unsigned access = bpf->flags & O_ACCMODE;
	union bpf_attr attr = { .map_id = id };
	_cleanup_close_ int fd = -1;
	int err;

	attr.open_flags = access == O_RDONLY ? BPF_F_RDONLY : access == O_WRONLY ? BPF_F_WRONLY : 0;
	fd = bpfmap_sys(BPF_MAP_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return fail(fd, "open BPF map %s", bpf->map_name);
	err = set_status_flags(r, fd, bpf->flags, bpf->fown);
	return err < 0 ? err : steal_fd(&fd);
}

static int bpfmap_open(struct restore *r, struct file *file, const void *state)
{
	const BpfmapFileEntry *bpf = file->entry->bpf;
	_cleanup_close_ int map = bpfmap_create(bpf);
	struct bpf_map_info info;
	int err =
		map < 0 ? map : bpfmap_fill(map, bpf, record_find(*restore_kind_data(r, &bpfmap_kind), 0, bpf->map_id));

	if (err >= 0)
		err = bpfmap_info(map, &info);
	if (err < 0)
		return err;
	for (size_t i = 0; i < r->plan.nr_files; i++) {
		struct file *other = &r->plan.files[i];

		if (other->maker != file)
			continue;
		err = bpfmap_open_id(r, info.id, other->entry->bpf);
		if (err >= 0)
			err = restore_provide(r, other, err);
		if (err < 0)
			return err;
	}
	return bpfmap_open_id(r, info.id, bpf);
}

static void bpfmap_describe(const FileEntry *entry, struct description *d)
{
	if (entry->bpf)
		describe_add(d, "BPF map %s", entry->bpf->map_name);
}

const struct fd_kind bpfmap_kind = {
	.name = "bpfmap",
	.image_type = FD_TYPES__BPFMAP,
	.claims = bpfmap_claims,
	.save = bpfmap_save,
	.load = bpfmap_load,
	.link = bpfmap_link,
	.open = bpfmap_open,
	.describe = bpfmap_describe,
};
