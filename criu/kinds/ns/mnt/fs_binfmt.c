// SPDX-License-Identifier: GPL-2.0-only
/*
 * binfmt_misc: that of the initial user namespace belongs to the host, and is mounted again as it is. Another user
 * namespace has an instance of its own, whose entries are saved: binfmt-misc.img has one instance, that of the root task.
 * Documentation/admin-guide/binfmt-misc.rst of the kernel
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "binfmt-misc.pb-c.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/mount.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

/* Separates the fields of a registration; no text contains it. */
#define SEPARATOR '\001'
#define MAGIC_MAX 128

/* ---- dump ---- */

static bool is_own_file(const char *name)
{
	return name[0] == '.' || !strcmp(name, "register") || !strcmp(name, "status");
}

/* The value of a line "KEY VALUE"; NULL: there is none. Lines end with NULs. */
static const char *find_value(const struct buf *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text->data; line < text->data + text->len; line += strlen(line) + 1)
		if (!strncmp(line, key, len) && line[len] == ' ')
			return line + len + 1;
	return NULL;
}

static int read_lines(int dir_fd, const char *name, struct buf *ret)
{
	int err = read_record(dir_fd, name, ret);

	for (size_t i = 0; !err && i < ret->len; i++)
		if (ret->data[i] == '\n')
			ret->data[i] = 0;
	return !err && !ret->len ? -EBADMSG : err;
}

static int fill_record(const struct buf *text, BinfmtMiscEntry *ret)
{
	const char *offset = find_value(text, "offset"), *extension = find_value(text, "extension");
	uint32_t at = 0;

	ret->enabled = !strcmp(text->data, "enabled");
	ret->interpreter = (char *)find_value(text, "interpreter");
	ret->flags = (char *)find_value(text, "flags:");
	ret->magic = (char *)find_value(text, "magic");
	ret->mask = (char *)find_value(text, "mask");
	ret->extension = (char *)(extension ? extension + (*extension == '.') : NULL);
	if (!ret->interpreter || (offset && parse_u32(offset, &at)) || !ret->magic == !extension)
		return -EBADMSG;
	ret->has_offset = offset != NULL;
	ret->offset = (int32_t)at;
	return 0;
}

static int list_entries(int dir_fd, const struct mount *mount, int (*fn)(void *arg, const char *name), void *arg)
{
	int fd = open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0), err = 0;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return fail(fd < 0 ? fd : -errno, "mount %s: open its root directory", MOUNT_NAME(mount));
	while (!err && (entry = readdir(dir)))
		err = is_own_file(entry->d_name) ? 0 : fn(arg, entry->d_name);
	return err;
}

struct look {
	struct dump *dump;
	const struct mount *mount;
	bool of_root; /* of the root task */
	int dir_fd;
	bool all_disabled;
	struct image_writer *img;
};

/* An interpreter that the kernel keeps open (F) cannot be opened before all mounts are there. */
static int check_entry(void *arg, const char *name)
{
	const struct look *l = arg;
	const char *at = MOUNT_NAME(l->mount), *flags;
	_cleanup_buf_ struct buf text = { 0 };
	int err = read_lines(l->dir_fd, name, &text);

	if (err)
		return fail(err, "mount %s: read the entry %s", at, name);
	flags = find_value(&text, "flags:");
	if (l->of_root && (!flags || !strchr(flags, 'F')))
		return 0;
	mount_blocker(
		l->dump,
		"mount %s contains the entry %s, %s, which is not supported: remove it (echo -1 > %s/%s), or leave the mount out (--skip-mnt %s)",
		at, name,
		l->of_root ? "whose interpreter is kept open (flag F)" :
			     "in a user namespace that is not that of the root process",
		at, name, at);
	return 0;
}

/* Does the instance belong to a user namespace of the tree? */
static int has_instance(const struct dump *dump, const struct ns *ns, bool *ret)
{
	_cleanup_close_ int owner = -1;
	int err = mount_ns_owner(dump, ns, &owner);

	*ret = owner >= 0;
	return err;
}

static bool is_of_root(const struct dump *dump, const struct ns *ns)
{
	return dump_task_of(dump->tree.root)->ns[NS_MNT] == ns;
}

int binfmt_survey(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	struct look look = { .dump = dump, .mount = mount, .of_root = is_of_root(dump, ns), .dir_fd = dir_fd };
	bool own = false;
	int err = has_instance(dump, ns, &own);

	return err || !own ? err : list_entries(dir_fd, mount, check_entry, &look);
}

static int save_entry(void *arg, const char *name)
{
	BinfmtMiscEntry entry = BINFMT_MISC_ENTRY__INIT;
	_cleanup_buf_ struct buf text = { 0 };
	struct look *l = arg;
	int err = read_lines(l->dir_fd, name, &text);

	if (!err)
		err = fill_record(&text, &entry);
	if (err)
		return fail(err, "mount %s: read the entry %s", MOUNT_NAME(l->mount), name);
	entry.name = (char *)name;
	entry.has_all_disabled = entry.all_disabled = l->all_disabled;
	if (!l->img)
		err = image_create(l->dump->dir, IMAGE_BINFMT_MISC, 0, &l->img);
	if (!err)
		err = image_write_record(l->img, &entry.base);
	return err ? fail(err, "%s", image_store_error(l->dump->dir)) : 0;
}

int binfmt_save(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	struct look look = { .dump = dump, .mount = mount, .dir_fd = dir_fd };
	_cleanup_buf_ struct buf status = { 0 };
	bool own = false;
	int err = has_instance(dump, ns, &own), closed;

	if (err || !own || !is_of_root(dump, ns))
		return err;
	err = read_lines(dir_fd, "status", &status);
	if (err)
		return fail(err, "mount %s: read its status", MOUNT_NAME(mount));
	look.all_disabled = !strcmp(status.data, "disabled");
	err = list_entries(dir_fd, mount, save_entry, &look);
	if (!look.img)
		return err;
	closed = image_close(look.img);
	return err ? err : closed ? fail(closed, "%s", image_store_error(dump->dir)) : 0;
}

/* ---- restore ---- */

static int refuse(const BinfmtMiscEntry *e, const char *what)
{
	return fail(-EBADMSG, "binfmt-misc.img: entry %s: %s", e->name, what);
}

static bool is_hex(const char *text)
{
	size_t len = strlen(text);

	return len && len % 2 == 0 && len / 2 <= MAGIC_MAX && strspn(text, "0123456789abcdef") == len;
}

static bool is_plain(const char *text)
{
	return *text && !strpbrk(text, "\001\n");
}

static int check_record(const BinfmtMiscEntry *e)
{
	if (!is_plain(e->name) || strchr(e->name, '/') || strlen(e->name) > NAME_MAX || is_own_file(e->name))
		return refuse(e, "its name");
	if (!is_plain(e->interpreter))
		return refuse(e, "its interpreter");
	if (e->flags && strspn(e->flags, "POC") != strlen(e->flags))
		return refuse(e, "its flags");
	if (!e->magic == !e->extension)
		return refuse(e, "it must have either a magic or an extension");
	if (e->extension && (!is_plain(e->extension) || strchr(e->extension, '/')))
		return refuse(e, "its extension");
	if (e->magic && (!is_hex(e->magic) || (e->mask && strlen(e->mask) != strlen(e->magic)) ||
			 (e->mask && !is_hex(e->mask)) || e->offset < 0 || e->offset > MAGIC_MAX))
		return refuse(e, "its magic, mask or offset");
	return 0;
}

int binfmt_load(struct restore *r, const struct ns *ns, struct mount *mount)
{
	const struct restore_task *root = restore_task_of(r->plan.tree.root);
	struct restore_records *records = arena_alloc(&r->arena, sizeof(*records));
	const struct ns *user = root->ns[NS_USER];
	int err;

	/* In the tool's user namespace the instance is that of the host. */
	if (!user || user->own || root->ns[NS_MNT] != ns)
		return 0;
	if (!records)
		return fail(-ENOMEM, "binfmt-misc.img");
	err = restore_read_records(r, IMAGE_BINFMT_MISC, 0, &binfmt_misc_entry__descriptor, records);
	for (size_t i = 0; !err && i < records->n; i++)
		err = check_record((const BinfmtMiscEntry *)records->v[i]);
	mount->fs->data = err ? NULL : records;
	return err;
}

/* "\x7f\x45": 7f45 */
static int add_escaped(struct buf *to, const char *hex)
{
	int err = 0;

	for (; !err && *hex; hex += 2)
		err = buf_printf(to, "\\x%.2s", hex);
	return err;
}

static int add_registration(const BinfmtMiscEntry *e, struct buf *to)
{
	char s = SEPARATOR;
	int err = buf_printf(to, "%c%s%c%c%c", s, e->name, s, e->magic ? 'M' : 'E', s);

	if (!err)
		err = e->magic ? buf_printf(to, "%d%c", e->offset, s) : buf_printf(to, "%c%s", s, e->extension);
	if (!err && e->magic)
		err = add_escaped(to, e->magic);
	if (!err)
		err = buf_add(to, &s, 1);
	if (!err && e->mask)
		err = add_escaped(to, e->mask);
	return err ? err : buf_printf(to, "%c%s%c%s", s, e->interpreter, s, e->flags ?: "");
}

static int register_entry(const BinfmtMiscEntry *e, int dir_fd)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = add_registration(e, &text);

	if (!err)
		err = write_text(dir_fd, "register", text.data);
	if (!err && !e->enabled)
		err = write_text(dir_fd, e->name, "0");
	return err ? fail(err, "register the binfmt_misc entry %s", e->name) : 0;
}

int binfmt_fill(struct restore *r, const struct ns *ns, struct mount *mount, int dir_fd)
{
	const struct restore_records *records = mount->fs->data;
	bool all_disabled = false;
	int err = 0;

	LOG_SCOPE("mount %s", MOUNT_NAME(mount));
	/* The last one registered is listed, and tried, first. */
	for (size_t i = records ? records->n : 0; !err && i; i--) {
		const BinfmtMiscEntry *e = (const BinfmtMiscEntry *)records->v[i - 1];

		err = register_entry(e, dir_fd);
		all_disabled |= e->all_disabled;
	}
	if (!err && all_disabled)
		err = write_text(dir_fd, "status", "0");
	return err;
}
