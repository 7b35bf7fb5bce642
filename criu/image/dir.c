// SPDX-License-Identifier: GPL-2.0-only
#include "image/dir.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/seen.h"
#include "util/fds.h"

/* Suffixes of files of an unfinished transaction: what shall become NAME, and what NAME was during a commit. */
#define SUFFIX_NEW ".criu-new"
#define SUFFIX_OLD ".criu-old"

enum {
	TEMP_NAME_MAX = IMAGE_NAME_MAX + sizeof(SUFFIX_NEW),
	PARENTS_MAX = 1024,
	HELD_MAX = 64 << 20,
	COPIED_MAX = 1 << 30,
};

struct image_file {
	char name[IMAGE_NAME_MAX];
	bool under_temp; /* lies as NAME.criu-new */
	bool saved_old; /* during a commit: the older file lies as NAME.criu-old */
};

/* An image in memory. */
struct held_image {
	struct held_image *next;
	enum image_type type;
	uint64_t id;
	size_t len;
	uint8_t data[];
};

struct image_store {
	int fd;
	dev_t dev;
	ino_t ino;
	struct image_store *child, *parent; /* the chain of parents; each owns its parent */
	struct image_error error;
	bool locked, read_locked;
	struct seen_images seen; /* while it is locked for reading */

	bool distrusted; /* image_dir_distrust() */
	uid_t owner;
	size_t copied_bytes;
	struct held_image *copies;

	/* The transaction. */
	pid_t writer_pid; /* 0 without one; a forked child must not abort it */
	bool replaces; /* an older dump lies here */
	bool published; /* everything has its name: image_store_publish() */
	int writers_open;
	int writer_error; /* the first one */
	uint32_t last_pages_id;
	struct image_file *files;
	size_t nr_files, cap_files;
	bool holds;
	size_t held_bytes;
	struct held_image *held, *held_last;
};

static const char inventory_name[] = "inventory.img";

static void temp_name(const char *name, const char *suffix, char ret[static TEMP_NAME_MAX])
{
	snprintf(ret, TEMP_NAME_MAX, "%s%s", name, suffix);
}

int image_store_fail(struct image_store *dir, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(dir->error.text, sizeof(dir->error.text), fmt, args);
	va_end(args);
	return error;
}

const char *image_store_error(const struct image_store *dir)
{
	return dir->error.text;
}

int image_store_fd(const struct image_store *dir)
{
	return dir->fd;
}

bool image_store_holds(const struct image_store *dir)
{
	return dir->holds && dir->held_bytes < HELD_MAX;
}

void image_store_hold(struct image_store *dir)
{
	dir->holds = true;
}

static void drop_list(struct held_image *image)
{
	while (image) {
		struct held_image *next = image->next;

		free(image);
		image = next;
	}
}

static void drop_held(struct image_store *dir)
{
	drop_list(dir->held);
	dir->held = NULL;
	dir->held_last = NULL;
	dir->held_bytes = 0;
	dir->holds = false;
}

int image_store_keep(struct image_store *dir, enum image_type type, uint64_t id, const void *data, size_t len)
{
	struct held_image *image = malloc(sizeof(*image) + len);

	if (!image)
		return image_store_fail(dir, -ENOMEM, "out of memory");
	*image = (struct held_image){ .type = type, .id = id, .len = len };
	memcpy(image->data, data, len);
	if (dir->held_last)
		dir->held_last->next = image;
	else
		dir->held = image;
	dir->held_last = image;
	dir->held_bytes += len;
	return 0;
}

/* Opened anew, so that the position for readdir is ours alone. */
static int dir_open_at(int at, const char *path, struct image_store **ret_dir)
{
	_cleanup_close_ int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct image_store *dir;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		return -errno;
	dir = calloc(1, sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	dir->fd = steal_fd(&fd);
	dir->dev = st.st_dev;
	dir->ino = st.st_ino;
	*ret_dir = dir;
	return 0;
}

int image_dir_open(const char *path, struct image_store **ret_dir)
{
	return dir_open_at(AT_FDCWD, path, ret_dir);
}

int image_dir_open_fd(int fd, struct image_store **ret_dir)
{
	return dir_open_at(fd, ".", ret_dir);
}

int image_dir_open_scratch(struct image_store **ret_dir)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), fd = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : image_dir_open_fd(fd, ret_dir);
}

void image_store_close(struct image_store *dir)
{
	while (dir) {
		struct image_store *parent = dir->parent;

		if (dir->writer_pid == getpid())
			image_store_abort(dir);
		drop_held(dir);
		drop_list(dir->copies);
		close(dir->fd);
		seen_free(&dir->seen);
		free(dir->files);
		free(dir);
		dir = parent;
	}
}

int image_store_move_fd(struct image_store *dir, int min)
{
	for (; dir; dir = dir->parent) {
		int fd = fcntl(dir->fd, F_DUPFD_CLOEXEC, min);

		if (fd < 0)
			return -errno;
		close(dir->fd);
		dir->fd = fd;
	}
	return 0;
}

/* The lock is one of our open description of the directory: a forked child holds it, too. */
static int lock(struct image_store *dir, int how)
{
	int err = flock(dir->fd, how | LOCK_NB) ? -errno : 0;

	if (!err) {
		dir->locked = true;
		return 0;
	}
	if (err != -EWOULDBLOCK)
		return image_store_fail(dir, err, "lock the directory: %s", strerror(-err));
	if (how == LOCK_SH)
		return image_store_fail(dir, -EBUSY, "the images directory is being written by another dump (flock)");
	/* Who else may read reads beside a reader. */
	if (flock(dir->fd, LOCK_SH | LOCK_NB))
		return image_store_fail(dir, -EBUSY, "the images directory is being written by another dump (flock)");
	flock(dir->fd, LOCK_UN);
	return image_store_fail(dir, -EBUSY, "the images directory is being read by a restore (flock)");
}

int image_store_lock_for_reading(struct image_store *dir)
{
	int err = lock(dir, LOCK_SH);

	dir->read_locked = !err;
	return err;
}

void image_store_unlock(struct image_store *dir)
{
	for (; dir; dir = dir->parent)
		if (dir->locked) {
			flock(dir->fd, LOCK_UN);
			dir->locked = dir->read_locked = false;
		}
}

static bool exists(const struct image_store *dir, const char *name)
{
	struct stat st;

	return !fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW);
}

bool image_store_is_dump(const struct image_store *dir)
{
	return exists(dir, inventory_name);
}

int image_store_parent(struct image_store *dir, struct image_store **ret_parent)
{
	struct image_store *parent;
	int links = 1, err;

	if (dir->distrusted)
		return image_store_fail(dir, -EPERM, "a link `parent` is not followed with --untrusted-images");
	if (!dir->parent) {
		err = dir_open_at(dir->fd, "parent", &parent);
		if (err == -ENOENT && exists(dir, "parent"))
			return image_store_fail(dir, -ENOTDIR, "the link `parent` points to nothing");
		if (err)
			return image_store_fail(dir, err, "open the directory behind `parent`: %s", strerror(-err));
		err = dir->read_locked ? image_store_lock_for_reading(parent) : 0;
		if (err) {
			image_store_fail(dir, err, "behind `parent`: %s", parent->error.text);
			image_store_close(parent);
			return err;
		}
		for (const struct image_store *d = dir; d; d = d->child, links++) {
			if (links <= PARENTS_MAX && (d->dev != parent->dev || d->ino != parent->ino))
				continue;
			image_store_close(parent);
			return image_store_fail(dir, -ELOOP,
						links > PARENTS_MAX ? "more than %d links `parent`" :
								      "the chain of %d links `parent` is a loop",
						links);
		}
		parent->child = dir;
		dir->parent = parent;
	}
	*ret_parent = dir->parent;
	return 0;
}

/* Is `name` one of ours with this suffix? Then cut it off. */
static bool cut_suffix(const char *name, const char *suffix, char ret_name[static IMAGE_NAME_MAX])
{
	size_t len = strlen(name), tail = strlen(suffix);
	enum image_type type;
	uint64_t id;

	if (len <= tail || len - tail >= IMAGE_NAME_MAX || strcmp(name + len - tail, suffix))
		return false;
	memcpy(ret_name, name, len - tail);
	ret_name[len - tail] = '\0';
	return !image_parse_name(ret_name, &type, &id);
}

/*
 * Clear away what a killed dumper left: new images that never took their names go. When it died within a commit (the
 * older inventory is set aside and none in its place), the older dump gets its files back.
 */
static int sweep(struct image_store *dir)
{
	bool interrupted = !exists(dir, inventory_name) && exists(dir, "inventory.img" SUFFIX_OLD);
	_cleanup_closedir_ DIR *stream = NULL;
	_cleanup_close_ int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[IMAGE_NAME_MAX];
	struct dirent *entry;

	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		return image_store_fail(dir, -errno, "read the directory: %s", strerror(errno));
	steal_fd(&fd);
	while ((entry = readdir(stream))) {
		if (cut_suffix(entry->d_name, SUFFIX_NEW, name))
			unlinkat(dir->fd, entry->d_name, 0);
		else if (!cut_suffix(entry->d_name, SUFFIX_OLD, name) || !strcmp(name, inventory_name))
			continue;
		else if (!interrupted)
			unlinkat(dir->fd, entry->d_name, 0);
		else if (renameat(dir->fd, entry->d_name, dir->fd, name))
			return image_store_fail(dir, -errno, "give %s its name back: %s", name, strerror(errno));
	}
	/* Last: with it the older dump is whole again. */
	if (interrupted && renameat(dir->fd, "inventory.img" SUFFIX_OLD, dir->fd, inventory_name))
		return image_store_fail(dir, -errno, "give the inventory its name back: %s", strerror(errno));
	if (!interrupted)
		unlinkat(dir->fd, "inventory.img" SUFFIX_OLD, 0);
	return 0;
}

static int begin(struct image_store *dir, int how)
{
	int err;

	if (dir->writer_pid)
		return image_store_fail(dir, -EBUSY, "the directory is being written already");
	err = lock(dir, how);
	if (err)
		return err;
	err = how == LOCK_EX ? sweep(dir) : 0;
	if (err) {
		image_store_unlock(dir);
		return err;
	}
	dir->replaces = image_store_is_dump(dir);
	dir->writers_open = 0;
	dir->writer_error = 0;
	dir->last_pages_id = 0;
	dir->nr_files = 0;
	drop_held(dir);
	dir->writer_pid = getpid();
	return 0;
}

int image_store_begin(struct image_store *dir)
{
	return begin(dir, LOCK_EX);
}

int image_store_begin_beside(struct image_store *dir)
{
	return begin(dir, LOCK_SH);
}

static void take_away(struct image_store *dir, const struct image_file *file)
{
	char temp[TEMP_NAME_MAX];

	temp_name(file->name, SUFFIX_NEW, temp);
	unlinkat(dir->fd, file->under_temp ? temp : file->name, 0);
}

/* After the new one has been taken away: the older one gets its name back. */
static void bring_back(struct image_store *dir, struct image_file *file)
{
	char old[TEMP_NAME_MAX];

	temp_name(file->name, SUFFIX_OLD, old);
	if (file->saved_old && !renameat(dir->fd, old, dir->fd, file->name))
		file->saved_old = false;
}

static struct image_file *find_file(struct image_store *dir, const char *name)
{
	for (size_t i = 0; i < dir->nr_files; i++)
		if (!strcmp(dir->files[i].name, name))
			return &dir->files[i];
	return NULL;
}

/* Our inventory goes first, an older one comes back last: at no time does one stand for files of both. */
void image_store_abort(struct image_store *dir)
{
	struct image_file *inventory = find_file(dir, inventory_name);

	drop_held(dir);
	if (!dir->writer_pid)
		return;
	if (inventory)
		take_away(dir, inventory);
	for (size_t i = dir->nr_files; i-- > 0;) {
		if (&dir->files[i] == inventory)
			continue;
		take_away(dir, &dir->files[i]);
		bring_back(dir, &dir->files[i]);
	}
	if (inventory)
		bring_back(dir, inventory);
	dir->nr_files = 0;
	dir->writer_pid = 0;
	dir->published = false;
	image_store_unlock(dir);
}

/* NAME.criu-new becomes NAME; an older NAME is set aside as NAME.criu-old. */
static int take_name(struct image_store *dir, struct image_file *file)
{
	char fresh[TEMP_NAME_MAX], old[TEMP_NAME_MAX];

	if (!file->under_temp)
		return 0;
	temp_name(file->name, SUFFIX_NEW, fresh);
	temp_name(file->name, SUFFIX_OLD, old);
	if (!file->saved_old && !renameat(dir->fd, file->name, dir->fd, old))
		file->saved_old = true;
	else if (!file->saved_old && errno != ENOENT)
		return image_store_fail(dir, -errno, "set the older %s aside: %s", file->name, strerror(errno));
	if (renameat(dir->fd, fresh, dir->fd, file->name))
		return image_store_fail(dir, -errno, "name %s: %s", file->name, strerror(errno));
	file->under_temp = false;
	return 0;
}

/* The reverse of take_name(), as far as that one came; `was_temp` says where the file lay before the commit. */
static void give_name_back(struct image_store *dir, struct image_file *file, bool was_temp)
{
	char fresh[TEMP_NAME_MAX], old[TEMP_NAME_MAX];

	temp_name(file->name, SUFFIX_NEW, fresh);
	temp_name(file->name, SUFFIX_OLD, old);
	if (was_temp && !file->under_temp && !renameat(dir->fd, file->name, dir->fd, fresh))
		file->under_temp = true;
	if (file->saved_old && !renameat(dir->fd, old, dir->fd, file->name))
		file->saved_old = false;
}

/*
 * While files of a dump change their names there is no inventory: who dies here leaves no dump rather than a mixture
 * of two. A transaction without an inventory of its own (statistics, a page server's pages) leaves the old one alone.
 */
static int take_names(struct image_store *dir, struct image_file *inventory)
{
	int err = 0;

	if (dir->replaces && inventory) {
		if (renameat(dir->fd, inventory_name, dir->fd, "inventory.img" SUFFIX_OLD))
			return image_store_fail(dir, -errno, "set the older inventory aside: %s", strerror(errno));
		inventory->saved_old = true;
	}
	for (size_t i = 0; i < dir->nr_files && !err; i++)
		if (&dir->files[i] != inventory)
			err = take_name(dir, &dir->files[i]);
	if (!err && inventory)
		err = take_name(dir, inventory);
	if (!err)
		return 0;
	for (size_t i = dir->nr_files; i-- > 0;)
		if (&dir->files[i] != inventory)
			give_name_back(dir, &dir->files[i], dir->replaces);
	if (inventory)
		give_name_back(dir, inventory, true);
	return err;
}

static int write_held_image(struct image_store *dir, const struct held_image *image)
{
	_cleanup_close_ int fd = -1;
	char name[IMAGE_NAME_MAX];
	int err = image_store_create(dir, image->type, image->id, &fd);

	if (err)
		return err;
	err = write_full(fd, image->data, image->len);
	/* Some file systems report only here what an earlier write could not do. */
	if (close(steal_fd(&fd)) && !err && errno != EINTR)
		err = -errno;
	image_name(image->type, image->id, name);
	return err < 0 ? image_store_fail(dir, err, "write %s: %s", name, strerror(-err)) : 0;
}

static int write_held(struct image_store *dir)
{
	int err = 0;

	for (struct held_image *image = dir->held; !err && image; image = image->next)
		err = write_held_image(dir, image);
	if (!err)
		drop_held(dir);
	return err;
}

int image_store_publish(struct image_store *dir)
{
	int err;

	if (!dir->writer_pid)
		return image_store_fail(dir, -EINVAL, "commit without a transaction");
	if (dir->writers_open)
		return image_store_fail(dir, -EBUSY, "commit while %d images are still open", dir->writers_open);
	if (dir->writer_error)
		return image_store_fail(dir, dir->writer_error, "an image could not be written: %s",
					strerror(-dir->writer_error));
	err = write_held(dir);
	if (err)
		return err;
	err = take_names(dir, find_file(dir, inventory_name));
	dir->published = !err;
	return err;
}

int image_store_commit(struct image_store *dir)
{
	char old[TEMP_NAME_MAX];
	int err = dir->published ? 0 : image_store_publish(dir);

	if (err)
		return err;
	for (size_t i = 0; i < dir->nr_files; i++) {
		if (!dir->files[i].saved_old)
			continue;
		temp_name(dir->files[i].name, SUFFIX_OLD, old);
		unlinkat(dir->fd, old, 0);
	}
	dir->nr_files = 0;
	dir->writer_pid = 0;
	dir->published = false;
	image_store_unlock(dir);
	return 0;
}

uint32_t image_store_next_pages_id(struct image_store *dir)
{
	return ++dir->last_pages_id;
}

void image_store_writer_opened(struct image_store *dir)
{
	dir->writers_open++;
}

void image_store_writer_closed(struct image_store *dir, int error)
{
	dir->writers_open--;
	if (error && !dir->writer_error)
		dir->writer_error = error;
}

/* A place for one file more, which counts once nr_files is raised; NULL when out of memory. */
static struct image_file *next_file(struct image_store *dir)
{
	if (dir->nr_files == dir->cap_files) {
		size_t cap = dir->cap_files ? 2 * dir->cap_files : 32;
		struct image_file *grown = reallocarray(dir->files, cap, sizeof(*grown));

		if (!grown)
			return NULL;
		dir->files = grown;
		dir->cap_files = cap;
	}
	return &dir->files[dir->nr_files];
}

/* `path` is where the image `name` lies until the commit. */
static int create_exclusive(struct image_store *dir, const char *name, const char *path)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(dir->fd, path, flags, 0600);

	if (fd < 0 && errno == EEXIST && find_file(dir, name))
		return -EEXIST; /* written by this very transaction */
	if (fd < 0 && errno == EEXIST && !unlinkat(dir->fd, path, 0))
		fd = openat(dir->fd, path, flags, 0600);
	return fd < 0 ? -errno : fd;
}

int image_store_create(struct image_store *dir, enum image_type type, uint64_t id, int *ret_fd)
{
	char name[IMAGE_NAME_MAX], temp[TEMP_NAME_MAX];
	struct image_file *file;
	int fd, err;

	err = image_name(type, id, name);
	if (err)
		return image_store_fail(dir, err, "no image is of type %d", (int)type);
	if (!dir->writer_pid)
		return image_store_fail(dir, -EINVAL, "%s: created outside a transaction", name);
	file = next_file(dir);
	if (!file)
		return image_store_fail(dir, -ENOMEM, "%s: out of memory", name);
	*file = (struct image_file){ .under_temp = dir->replaces || type == IMAGE_INVENTORY };
	memcpy(file->name, name, sizeof(name));
	temp_name(name, SUFFIX_NEW, temp);
	fd = create_exclusive(dir, name, file->under_temp ? temp : name);
	if (fd < 0)
		return image_store_fail(dir, fd, "create %s: %s", name, strerror(-fd));
	dir->nr_files++;
	*ret_fd = fd;
	return 0;
}

int image_dir_distrust(struct image_store *dir, uid_t owner)
{
	struct stat st;

	if (fstat(dir->fd, &st))
		return image_store_fail(dir, -errno, "stat the images directory: %s", strerror(errno));
	if (st.st_uid != owner && st.st_uid != 0)
		return image_store_fail(dir, -EACCES,
					"the images directory is that of user %u, neither root's nor that of user %u",
					st.st_uid, owner);
	dir->distrusted = true;
	dir->owner = owner;
	return 0;
}

/* A FIFO must not hold us up. */
static int open_image(struct image_store *dir, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
	int fd;

	if (dir->distrusted)
		how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
	fd = dir->distrusted ? (int)syscall(SYS_openat2, dir->fd, name, &how, sizeof(how)) :
			       openat(dir->fd, name, (int)how.flags);
	return fd < 0 ? -errno : fd;
}

int image_store_open(struct image_store *dir, enum image_type type, uint64_t id, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	char name[IMAGE_NAME_MAX];
	struct stat st;
	int err;

	err = image_name(type, id, name);
	if (err)
		return image_store_fail(dir, err, "no image is of type %d", (int)type);
	fd = open_image(dir, name);
	err = fd < 0 ? fd : fstat(fd, &st) ? -errno : 0;
	if (dir->read_locked && (!err || err == -ENOENT)) {
		int changed = seen_check(&dir->seen, type, id, err ? NULL : &st);

		if (changed)
			return image_store_fail(dir, changed == -ESTALE ? -EBADMSG : changed,
						"%s has changed since it was read first", name);
	}
	if (err)
		return image_store_fail(dir, err, "open %s: %s", name, strerror(-err));
	if (!S_ISREG(st.st_mode))
		return image_store_fail(dir, -EBADMSG, "%s is no regular file", name);
	if (dir->distrusted && st.st_uid != dir->owner && st.st_uid != 0)
		return image_store_fail(dir, -EACCES, "%s is a file of user %u, neither of root nor of user %u", name,
					st.st_uid, dir->owner);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static struct held_image *find_copy(const struct image_store *dir, enum image_type type, uint64_t id)
{
	struct held_image *copy = dir->copies;

	while (copy && (copy->type != type || copy->id != id))
		copy = copy->next;
	return copy;
}

static int make_copy(struct image_store *dir, enum image_type type, uint64_t id, struct held_image **ret_copy)
{
	_cleanup_free_ struct held_image *copy = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	ssize_t got;
	int err = image_store_open(dir, type, id, &fd);

	if (err)
		return err;
	if (fstat(fd, &st))
		return image_store_fail(dir, -errno, "stat an image: %s", strerror(errno));
	if ((uint64_t)st.st_size > COPIED_MAX - dir->copied_bytes)
		return image_store_fail(dir, -EFBIG, "the images besides pages have more than %d MB", COPIED_MAX >> 20);
	copy = malloc(sizeof(*copy) + (size_t)st.st_size);
	got = copy ? pread_full(fd, copy->data, (size_t)st.st_size, 0) : -ENOMEM;
	if (got < 0)
		return image_store_fail(dir, (int)got, "copy an image: %s", strerror((int)-got));
	copy->type = type;
	copy->id = id;
	copy->len = (size_t)got;
	dir->copied_bytes += copy->len;
	copy->next = dir->copies;
	*ret_copy = dir->copies = steal_ptr(&copy);
	return 0;
}

int image_store_copy(struct image_store *dir, enum image_type type, uint64_t id, const uint8_t **ret_buf,
		     size_t *ret_len)
{
	struct held_image *copy;
	int err = 0;

	if (!dir->distrusted)
		return -EOPNOTSUPP;
	copy = find_copy(dir, type, id);
	if (!copy)
		err = make_copy(dir, type, id, &copy);
	if (err)
		return err;
	*ret_buf = copy->data;
	*ret_len = copy->len;
	return 0;
}
