// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/statmount.h"
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif

#define ALL_MOUNTS UINT64_MAX
#define WANT_BASIC 0x00000002u
#define WANT_UIDMAP 0x00002000u
#define WANT_GIDMAP 0x00004000u

/* struct mnt_id_req, struct statmount: not in the headers of older systems. */
struct request {
	uint32_t size, spare;
	uint64_t mnt_id, param;
};

struct answer {
	uint32_t size, mnt_opts;
	uint64_t mask;
	uint32_t sb_dev_major, sb_dev_minor;
	uint64_t sb_magic;
	uint32_t sb_flags, fs_type;
	uint64_t mnt_id, mnt_parent_id;
	uint32_t mnt_id_old, mnt_parent_id_old;
	uint64_t mnt_attr, propagation, peer_group, master, propagate_from;
	uint32_t mnt_root, mnt_point;
	uint64_t mnt_ns_id;
	uint32_t fs_subtype, sb_source, opt_num, opt_array, opt_sec_num, opt_sec_array;
	uint64_t supported_mask;
	uint32_t uidmap_num, uidmap, gidmap_num, gidmap; /* texts, each with a NUL, in @texts */
	uint64_t spare[43];
	char texts[];
};

/* Of as many lines as a map can have. */
#define ANSWER_SIZE (64u << 10)

static int stat_mount(uint64_t mnt_id, struct answer *answer, uint64_t want)
{
	struct request request = { .size = sizeof(request), .mnt_id = mnt_id, .param = want };

	return syscall(SYS_statmount, &request, answer, ANSWER_SIZE, 0) < 0 ? -errno : 0;
}

/* The unique id. */
static int find_mount(int mnt_id, struct answer *answer, uint64_t *ret_unique)
{
	struct request request = { .size = sizeof(request), .mnt_id = ALL_MOUNTS };
	uint64_t ids[64];
	long n;

	do {
		n = syscall(SYS_listmount, &request, ids, sizeof(ids) / sizeof(*ids), 0);
		for (long i = 0; i < n; i++) {
			if (stat_mount(ids[i], answer, WANT_BASIC) || answer->mnt_id_old != (uint32_t)mnt_id)
				continue;
			*ret_unique = ids[i];
			return 0;
		}
		request.param = n > 0 ? ids[n - 1] : 0;
	} while (n > 0);
	if (n < 0)
		return errno == ENOSYS || errno == EINVAL ? -EOPNOTSUPP : -errno;
	return -ENOENT;
}

/* "0 100000 1000", as many times as it says. */
static int parse_map(const char *texts, uint32_t nr, struct id_map *ret)
{
	struct buf lines = { 0 };
	int err = 0;

	for (uint32_t i = 0; !err && i < nr; i++) {
		err = buf_printf(&lines, "%s\n", texts);
		texts += strlen(texts) + 1;
	}
	if (!err)
		err = id_map_parse(lines.data ? lines.data : "", lines.len, ret);
	buf_free(&lines);
	return err;
}

int statmount_id_maps(int mnt_id, struct id_map *ret_uids, struct id_map *ret_gids)
{
	struct answer *answer = malloc(ANSWER_SIZE);
	struct id_map uids = { 0 };
	uint64_t unique;
	int err = answer ? find_mount(mnt_id, answer, &unique) : -ENOMEM;

	if (!err)
		err = stat_mount(unique, answer, WANT_UIDMAP | WANT_GIDMAP);
	if (!err && (answer->mask & (WANT_UIDMAP | WANT_GIDMAP)) != (WANT_UIDMAP | WANT_GIDMAP))
		err = -EOPNOTSUPP;
	if (!err)
		err = parse_map(answer->texts + answer->uidmap, answer->uidmap_num, &uids);
	if (!err) {
		err = parse_map(answer->texts + answer->gidmap, answer->gidmap_num, ret_gids);
		if (err)
			id_map_free(&uids);
		else
			*ret_uids = uids;
	}
	free(answer);
	return err;
}
