// SPDX-License-Identifier: GPL-2.0-only
/* A dump is written completely or not at all, whatever happens to the writer. */
#include "image_helper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir.h"
#include "inventory.pb-c.h"
#include "pstree.pb-c.h"

static int write_pstree(struct image_store *dir, uint32_t pid)
{
	PstreeEntry entry = PSTREE_ENTRY__INIT;

	entry.pid = pid;
	return image_write_single(dir, IMAGE_PSTREE, 0, &entry.base);
}

static int write_inventory(struct image_store *dir, uint32_t version)
{
	InventoryEntry entry = INVENTORY_ENTRY__INIT;

	entry.img_version = version;
	return image_write_single(dir, IMAGE_INVENTORY, 0, &entry.base);
}

static int write_pages(struct image_store *dir, const char *text)
{
	struct image_extent pages = { .fd = -1 };
	int err = image_store_create(dir, IMAGE_PAGES, 1, &pages);
	_cleanup_close_ int fd = pages.fd;

	return err ?: write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
}

/* A dump of generation `n`: pstree has pid n, the inventory version n, the pages "pages n". */
static int write_dump(struct image_store *dir, uint32_t n)
{
	char pages[32];

	snprintf(pages, sizeof(pages), "pages %u", n);
	return write_inventory(dir, n) ?: write_pstree(dir, n) ?: write_pages(dir, pages);
}

static int dump(struct image_store *dir, uint32_t n)
{
	return image_store_begin(dir) ?: write_dump(dir, n) ?: image_store_commit(dir);
}

static unsigned int count_files(const char *path)
{
	_cleanup_closedir_ DIR *stream = opendir(path);
	struct dirent *entry;
	unsigned int n = 0;

	/* Each dump has checksums, too. */
	while ((entry = readdir(stream)))
		n += strcmp(entry->d_name, "checksums.img") && strcmp(entry->d_name, "checksums-pages.img");
	return n - 2;
}

/* Is the complete dump of generation `n` there, and nothing else? */
static const char *is_generation(const char *path, uint32_t n, unsigned int other_files)
{
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_record_ InventoryEntry *inventory = NULL;
	_cleanup_record_ PstreeEntry *tree = NULL;
	_cleanup_free_ uint8_t *pages = NULL;
	char want[32];
	size_t len;

	EXPECT(!image_dir_open(path, &dir) && image_store_is_dump(dir));
	EXPECT(!image_read_single(dir, IMAGE_INVENTORY, 0, &inventory) && inventory->img_version == n);
	EXPECT(!image_read_single(dir, IMAGE_PSTREE, 0, &tree) && tree->pid == n);
	pages = slurp(path, "pages-1.img", &len);
	snprintf(want, sizeof(want), "pages %u", n);
	EXPECT(pages && len == strlen(want) && !memcmp(pages, want, len));
	if (count_files(path) != 3 + other_files)
		return because("%u files instead of %u", count_files(path), 3 + other_files);
	return NULL;
}

static const char *test_commit(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	struct image_writer *img;

	EXPECT(!image_dir_open(path, &dir));
	EXPECT(write_pstree(dir, 1) == -EINVAL); /* outside a transaction */
	EXPECT(image_store_commit(dir) == -EINVAL);
	EXPECT(!image_store_begin(dir) && image_store_begin(dir) == -EBUSY);
	EXPECT(!write_dump(dir, 1));
	EXPECT(!image_store_is_dump(dir) && is_there(path, "pstree.img"));
	EXPECT(write_pstree(dir, 1) == -EEXIST && image_store_commit(dir) == -EEXIST); /* twice */
	image_store_abort(dir);
	EXPECT(!image_store_begin(dir) && !write_dump(dir, 1));
	EXPECT(!image_create(dir, IMAGE_CORE, 1, &img));
	EXPECT(image_store_commit(dir) == -EBUSY);
	EXPECT(!image_close(img) && !image_store_commit(dir));
	return is_generation(path, 1, 1);
}

static const char *test_abort(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	struct image_store *dir;

	EXPECT(!image_dir_open(path, &dir));
	EXPECT(!image_store_begin(dir) && !write_dump(dir, 1));
	EXPECT(count_files(path) == 3);
	image_store_abort(dir);
	EXPECT(count_files(path) == 0);
	EXPECT(!image_store_begin(dir) && !write_dump(dir, 1));
	image_store_close(dir);
	EXPECT(count_files(path) == 0);
	return NULL;
}

static const char *test_older_dump_survives(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	struct image_store *dir;
	struct image_writer *img;
	const char *why;

	EXPECT(!image_dir_open(path, &dir) && !dump(dir, 1));
	spew(path, "core-99.img", "stale", 5); /* the new dump does not write it: it remains */
	EXPECT(!image_store_begin(dir) && !write_dump(dir, 2));
	EXPECT(image_store_is_dump(dir));
	image_store_abort(dir);
	why = is_generation(path, 1, 1);
	if (why)
		return why;
	/* A discarded writer makes the commit fail. */
	EXPECT(!image_store_begin(dir) && !write_dump(dir, 2) && !image_create(dir, IMAGE_CORE, 1, &img));
	image_discard(img);
	EXPECT(image_store_commit(dir) == -ECANCELED);
	image_store_abort(dir);
	why = is_generation(path, 1, 1);
	if (why)
		return why;
	EXPECT(!dump(dir, 2));
	image_store_close(dir);
	return is_generation(path, 2, 1);
}

/* Visible to everyone, and undone all the same: in an empty directory, over an older dump. */
static const char *test_publish(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	const char *why;

	EXPECT(!image_dir_open(path, &dir));
	EXPECT(!image_store_begin(dir) && !write_dump(dir, 1) && !image_store_publish(dir));
	why = is_generation(path, 1, 0);
	if (why)
		return why;
	image_store_abort(dir);
	EXPECT(count_files(path) == 0);
	EXPECT(!dump(dir, 1));
	EXPECT(!image_store_begin(dir) && !write_dump(dir, 2) && !image_store_publish(dir));
	why = is_generation(path, 2, 4);
	if (why)
		return why;
	image_store_abort(dir);
	why = is_generation(path, 1, 0);
	if (why)
		return why;
	EXPECT(!image_store_begin(dir) && !write_dump(dir, 3) && !image_store_publish(dir) && !image_store_commit(dir));
	return is_generation(path, 3, 0);
}

/* A commit that fails half way is undone: a directory has the name of core-5. */
static const char *test_failed_commit(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_free_ char *in_the_way = NULL, *in_it = NULL;
	struct image_writer *img;
	struct image_store *dir;
	const char *why;

	EXPECT(asprintf(&in_the_way, "%s/core-5.img.criu-old", path) > 0 && asprintf(&in_it, "%s/x", in_the_way) > 0);
	EXPECT(!image_dir_open(path, &dir) && !dump(dir, 1));
	spew(path, "core-5.img", "older", 5);
	EXPECT(!image_store_begin(dir) && !write_pstree(dir, 2) && !write_pages(dir, "pages 2"));
	EXPECT(!image_create(dir, IMAGE_CORE, 5, &img) && !image_close(img) && !write_inventory(dir, 2));
	EXPECT(!mkdir(in_the_way, 0700) && !mkdir(in_it, 0700));
	EXPECT(image_store_commit(dir) < 0 && image_store_error(dir)[0]);
	why = is_generation(path, 1, 2 + 5); /* core-5 and the directory, and what remains until the abort */
	if (why)
		return why;
	EXPECT(!rmdir(in_it) && !rmdir(in_the_way));
	image_store_close(dir);
	return is_generation(path, 1, 1);
}

static int run_child(void (*child)(const char *), const char *path)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		child(path);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -1;
}

static void dump_and_exit(const char *path)
{
	struct image_store *dir;

	if (!image_dir_open(path, &dir) && !image_store_begin(dir) && !write_dump(dir, 7))
		raise(SIGKILL);
}

/* One writer, or many readers. */
static const char *test_locked(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *one = NULL, *two = NULL, *three = NULL;

	EXPECT(!image_dir_open(path, &one) && !image_dir_open(path, &two) && !image_dir_open(path, &three));
	EXPECT(!image_store_begin(one) && image_store_begin(two) == -EBUSY && image_store_begin_beside(two) == -EBUSY);
	EXPECT(strstr(image_store_error(two), "another dump is writing"));
	EXPECT(image_store_lock_for_reading(two) == -EBUSY);
	EXPECT(!write_dump(one, 1) && !image_store_commit(one));
	EXPECT(!image_store_lock_for_reading(two) && !image_store_lock_for_reading(three));
	EXPECT(image_store_begin(one) == -EBUSY && strstr(image_store_error(one), "a restore is reading"));
	EXPECT(!image_store_begin_beside(one) && !image_store_commit(one));
	image_store_unlock(two);
	EXPECT(image_store_begin(one) == -EBUSY);
	image_store_unlock(three);
	EXPECT(!image_store_begin(one) && !write_dump(one, 2));
	image_store_abort(one);
	EXPECT(!image_store_begin(two));
	return is_generation(path, 1, 0);
}

static const char *test_killed(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	const char *why;

	EXPECT(!image_dir_open(path, &dir));
	EXPECT(!run_child(dump_and_exit, path));
	EXPECT(!image_store_is_dump(dir) && is_there(path, "pstree.img"));
	EXPECT(!dump(dir, 1));
	why = is_generation(path, 1, 0);
	if (why)
		return why;
	EXPECT(!run_child(dump_and_exit, path));
	why = is_generation(path, 1, 3); /* three files under temporary names */
	if (why)
		return why;
	EXPECT(!image_store_begin(dir));
	image_store_abort(dir);
	return is_generation(path, 1, 0);
}

/* Killed during a commit: the next writer finds the older dump set aside, and restores it. */
static const char *test_killed_in_commit(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	const char *names[] = { "inventory.img", "pstree.img" };

	EXPECT(!image_dir_open(path, &dir) && !dump(dir, 1));
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ char *from = NULL, *to = NULL;

		EXPECT(asprintf(&from, "%s/%s", path, names[i]) > 0);
		EXPECT(asprintf(&to, "%s/%s.criu-old", path, names[i]) > 0);
		EXPECT(!rename(from, to));
	}
	spew(path, "pstree.img", "new", 3);
	spew(path, "inventory.img.criu-new", "new", 3);
	EXPECT(!image_store_is_dump(dir));
	EXPECT(!image_store_begin(dir));
	image_store_abort(dir);
	return is_generation(path, 1, 0);
}

/* Statistics are written to a directory that contains a dump: the dump remains. */
static const char *test_without_inventory(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	struct image_writer *img;

	EXPECT(!image_dir_open(path, &dir) && !dump(dir, 1));
	for (int i = 0; i < 2; i++) {
		EXPECT(!image_store_begin(dir) && !image_create(dir, IMAGE_STATS_RESTORE, 0, &img));
		EXPECT(!image_close(img) && !image_store_commit(dir) && is_there(path, "stats-restore"));
	}
	return is_generation(path, 1, 1);
}

static const char *test_forked_child_aborts_nothing(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	int status;
	pid_t pid;

	EXPECT(!image_dir_open(path, &dir) && !image_store_begin(dir) && !write_dump(dir, 1));
	pid = fork();
	if (!pid) {
		image_store_close(dir);
		_exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && !status);
	EXPECT(!image_store_commit(dir));
	return is_generation(path, 1, 0);
}

/* The disk is full (here: the file size limit is reached): reported once, and the directory is left empty. */
static const char *test_write_error(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ uint8_t *much = calloc(1, 1 << 20);
	struct rlimit old, tight = { 100000, 100000 };
	struct image_writer *img;
	int err = 0;

	getrlimit(RLIMIT_FSIZE, &old);
	tight.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	EXPECT(!image_dir_open(path, &dir) && !image_store_begin(dir) && !image_create(dir, IMAGE_FILES, 0, &img));
	setrlimit(RLIMIT_FSIZE, &tight);
	for (int i = 0; i < 200 && !err; i++)
		err = image_write_raw(img, much, 1000 + i);
	setrlimit(RLIMIT_FSIZE, &old);
	EXPECT(err == -EFBIG && strstr(image_store_error(dir), "write files.img: "));
	EXPECT(image_write_raw(img, much, 1) == -EFBIG);
	EXPECT(image_close(img) == -EFBIG);
	EXPECT(image_store_commit(dir) == -EFBIG);
	image_store_abort(dir);
	EXPECT(count_files(path) == 0);
	return NULL;
}

/*
 * Images are kept in memory until the commit, except large ones; an abort leaves none, and no image is created twice.
 */
static const char *test_hold(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ uint8_t *much = calloc(1, 1 << 20);
	struct image_writer *img;
	size_t len;

	EXPECT(!image_dir_open(path, &dir) && !image_store_begin(dir));
	image_store_hold(dir);
	EXPECT(!write_dump(dir, 1) && count_files(path) == 1); /* the pages */
	image_store_abort(dir);
	EXPECT(count_files(path) == 0);
	EXPECT(!image_store_begin(dir));
	image_store_hold(dir);
	EXPECT(!write_dump(dir, 1) && !is_there(path, "pstree.img"));
	EXPECT(!image_create(dir, IMAGE_FILES, 0, &img) && !image_write_raw(img, much, 1 << 20));
	EXPECT(is_there(path, "files.img") && !image_close(img));
	EXPECT(!image_create(dir, IMAGE_CORE, 1, &img) && !image_write_raw(img, much, 60000));
	EXPECT(image_store_publish(dir) == -EBUSY && !image_close(img) && !is_there(path, "core-1.img"));
	EXPECT(!image_store_commit(dir));
	free(slurp(path, "files.img", &len));
	EXPECT(len == 8 + (1 << 20));
	free(slurp(path, "core-1.img", &len));
	EXPECT(len == 8 + 60000);
	EXPECT(!image_store_begin(dir));
	image_store_hold(dir);
	EXPECT(!write_pstree(dir, 2) && write_pstree(dir, 3) == -EEXIST && image_store_publish(dir) == -EEXIST);
	image_store_abort(dir);
	return is_generation(path, 1, 2);
}

static const char *test_parent(void)
{
	_cleanup_scratch_ char *one = scratch_create();
	_cleanup_scratch_ char *two = scratch_create();
	_cleanup_free_ char *link1 = NULL, *link2 = NULL;
	struct image_store *dir, *parent;

	EXPECT(asprintf(&link1, "%s/parent", one) > 0 && asprintf(&link2, "%s/parent", two) > 0);
	EXPECT(!image_dir_open(two, &dir) && image_store_parent(dir, &parent) == -ENOENT);
	EXPECT(!symlink(one, link2));
	EXPECT(!image_store_parent(dir, &parent) && image_store_parent(parent, &parent) == -ENOENT);
	EXPECT(!symlink(two, link1));
	EXPECT(!image_store_parent(dir, &parent) && image_store_parent(parent, &parent) == -ELOOP);
	image_store_close(dir);
	EXPECT(!unlink(link1) && !symlink("nowhere", link1));
	EXPECT(!image_dir_open(one, &dir) && image_store_parent(dir, &parent) == -ENOTDIR);
	image_store_close(dir);
	EXPECT(!unlink(link1) && !symlink(".", link1));
	EXPECT(!image_dir_open(one, &dir) && image_store_parent(dir, &parent) == -ELOOP);
	image_store_close(dir);
	return NULL;
}

/* By descriptor, even an O_PATH one; a FIFO in place of an image does not hang us. */
static const char *test_by_descriptor(void)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ char *fifo = NULL;
	struct image_reader *img;

	EXPECT(!image_dir_open_fd(fd, &dir) && !dump(dir, 1));
	EXPECT(asprintf(&fifo, "%s/core-1.img", path) > 0 && !mkfifo(fifo, 0600));
	EXPECT(image_open(dir, IMAGE_CORE, 1, &img) == -EBADMSG);
	return is_generation(path, 1, 1);
}

int main(void)
{
	run_case("commit", test_commit);
	run_case("abort", test_abort);
	run_case("older-dump-survives", test_older_dump_survives);
	run_case("publish", test_publish);
	run_case("failed-commit", test_failed_commit);
	run_case("locked", test_locked);
	run_case("killed", test_killed);
	run_case("killed-in-commit", test_killed_in_commit);
	run_case("without-inventory", test_without_inventory);
	run_case("forked-child", test_forked_child_aborts_nothing);
	run_case("write-error", test_write_error);
	run_case("hold", test_hold);
	run_case("parent", test_parent);
	run_case("by-descriptor", test_by_descriptor);
	return cases_failed();
}
