// SPDX-License-Identifier: GPL-2.0-only
#include "image/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/hash.h"

/* Only what is used takes memory. */
#define SLOTS (1ul << 20)

enum slot_state { FREE, ABSENT, SMALL, PAGES };

struct slot {
	uint32_t state, type;
	uint64_t id, base, len;
};

/* Shared by all processes. */
struct spool_index {
	pthread_mutex_t lock;
	uint64_t small_end, pages_end, pages_base;
	size_t used;
	struct slot slots[SLOTS];
};

struct spool {
	struct spool_index *index;
	int small, pages;
};

static int open_pages_file(int dir_fd)
{
	int fd = dir_fd < 0 ? -1 : open_at(dir_fd, ".", O_TMPFILE | O_RDWR, 0600);

	if (fd >= 0)
		return fd;
	fd = memfd_create("criu-pages", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;
	int err = pthread_mutexattr_init(&attr);

	if (err)
		return -err;
	err = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED)      ?:
		      pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) ?:
										 pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return -err;
}

int spool_new(int dir_fd, struct spool **ret_spool)
{
	struct spool *spool = calloc(1, sizeof(*spool));
	void *index = mmap(NULL, sizeof(*spool->index), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err = 0;

	if (!spool || index == MAP_FAILED) {
		free(spool);
		return -ENOMEM;
	}
	spool->index = index;
	spool->pages = open_pages_file(dir_fd);
	spool->small = memfd_create("criu-images", MFD_CLOEXEC);
	if (spool->small < 0)
		err = -errno;
	else if (spool->pages < 0)
		err = spool->pages;
	if (!err)
		err = init_lock(&spool->index->lock);
	if (err)
		spool_free(spool);
	else
		*ret_spool = spool;
	return err;
}

void spool_free(struct spool *spool)
{
	if (!spool)
		return;
	cleanup_close(&spool->small);
	cleanup_close(&spool->pages);
	munmap(spool->index, sizeof(*spool->index));
	free(spool);
}

int spool_move_fds(struct spool *spool, int min)
{
	int *fds[] = { &spool->small, &spool->pages };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		int fd = move_fd_above(*fds[i], min);

		if (fd < 0)
			return fd;
		*fds[i] = fd;
	}
	return 0;
}

int spool_lock(struct spool *spool)
{
	int err = pthread_mutex_lock(&spool->index->lock);

	/* We have it then. Released as it is, it fails for every process, and none waits for it. */
	if (err == EOWNERDEAD)
		pthread_mutex_unlock(&spool->index->lock);
	return -err;
}

void spool_unlock(struct spool *spool)
{
	pthread_mutex_unlock(&spool->index->lock);
}

/* Its own slot, or the free one where it belongs. */
static struct slot *slot_of(const struct spool *spool, enum image_type type, uint64_t id)
{
	uint64_t at = hash_mix(hash_mix(type) ^ id) % SLOTS;
	struct slot *slot = &spool->index->slots[at];

	while (slot->state != FREE && (slot->type != type || slot->id != id)) {
		at = (at + 1) % SLOTS;
		slot = &spool->index->slots[at];
	}
	return slot;
}

int spool_find(const struct spool *spool, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	const struct slot *slot = slot_of(spool, type, id);

	if (slot->state == FREE || slot->state == ABSENT)
		return slot->state == FREE ? 0 : -ENOENT;
	*ret_extent = (struct image_extent){ .fd = slot->state == PAGES ? spool->pages : spool->small,
					     .base = slot->base,
					     .len = slot->len };
	return 1;
}

int spool_open(const struct spool *spool, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	int found = spool_find(spool, type, id, ret_extent);

	if (found <= 0)
		return found;
	ret_extent->fd = dup_fd_above(ret_extent->fd, 0);
	return ret_extent->fd < 0 ? ret_extent->fd : found;
}

static int add(struct spool *spool, const struct slot *slot)
{
	struct slot *to = slot_of(spool, slot->type, slot->id);

	if (to->state != FREE)
		return -EEXIST;
	if (spool->index->used >= SLOTS / 2)
		return -ENOSPC;
	spool->index->used++;
	*to = *slot;
	return 0;
}

int spool_add(struct spool *spool, enum image_type type, uint64_t id, const void *buf, size_t len)
{
	struct slot slot = { .state = SMALL, .type = type, .id = id, .base = spool->index->small_end, .len = len };
	int err = pwrite_full(spool->small, buf, len, (off_t)slot.base);

	if (!err)
		err = add(spool, &slot);
	if (!err)
		spool->index->small_end += len;
	return err;
}

int spool_add_absent(struct spool *spool, enum image_type type, uint64_t id)
{
	return add(spool, &(struct slot){ .state = ABSENT, .type = type, .id = id });
}

void spool_begin_pages(struct spool *spool)
{
	struct spool_index *index = spool->index;

	index->pages_base = index->pages_end = ROUND_UP(index->pages_end, PAGE_SZ);
}

int spool_put_pages(struct spool *spool, const void *buf, size_t len)
{
	int err = pwrite_full(spool->pages, buf, len, (off_t)spool->index->pages_end);

	if (!err)
		spool->index->pages_end += len;
	return err;
}

int spool_end_pages(struct spool *spool, uint64_t id)
{
	const struct spool_index *index = spool->index;

	return add(spool, &(struct slot){ .state = PAGES,
					  .type = IMAGE_PAGES,
					  .id = id,
					  .base = index->pages_base,
					  .len = index->pages_end - index->pages_base });
}

void spool_clear(struct spool *spool)
{
	struct spool_index *index = spool->index;

	for (size_t i = 0; index->used && i < SLOTS; i++)
		if (index->slots[i].state != FREE)
			index->slots[i] = (struct slot){ 0 };
	index->used = 0;
	index->small_end = index->pages_end = 0;
}
