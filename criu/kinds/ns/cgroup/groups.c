// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dump: the groups of the tree. Those that its threads are in, the roots of its cgroup namespaces, the groups between them, and
 * groups below that no other process uses: a container's own, which may be empty. Foreign groups below, and the root of a hierarchy, are not the
 * tree's.
 */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/cgroup/internal.h"
#include "kinds/ns/cgroup/extra_properties.h"
#include "kinds/ns/cgroup/properties.h"
#include "run/dump.h"
#include "run/freezer.h"
#include "util/fds.h"
#include "util/log.h"

ARRAY_OF(path_array, const char *);
ARRAY_OF(prop_array, CgroupPropEntry *);
ARRAY_OF(dir_array, CgroupDirEntry *);

struct saving {
	struct dump *dump;
	struct cg_hierarchy *h;
	struct path_array used; /* sorted */
	struct prop_array props; /* of the current group */
	int dir; /* its directory */
	DIR *list; /* its files, for patterns */
};

static DIR *list_files(int dir)
{
	int fd = open_at(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list && fd >= 0)
		close(fd);
	return list;
}

/* ---- properties ---- */

static CgroupPerms *new_perms(struct saving *s, const struct stat *st)
{
	CgroupPerms *perms = dump_alloc(s->dump, sizeof(*perms));

	if (perms) {
		cgroup_perms__init(perms);
		perms->mode = st->st_mode;
		perms->uid = st->st_uid;
		perms->gid = st->st_gid;
	}
	return perms;
}

/* By itself; and before this dump did it. */
static int freezer_value(struct saving *s, bool v1, struct buf *value)
{
	_cleanup_buf_ struct buf own = { 0 };
	struct stat dir;
	bool frozen = false;
	int err = 0;

	if (fstat(s->dir, &dir) < 0)
		return -errno;
	if (!freezer_was_frozen(s->dump, &dir, &frozen)) {
		err = cg_read_property(s->dir, v1 ? "freezer.self_freezing" : "cgroup.freeze", &own);
		frozen = !err && !strcmp(own.data, "1");
	}
	buf_clear(value);
	return err ? err : buf_add_str(value, v1 ? (frozen ? "FROZEN" : "THAWED") : frozen ? "1" : "0");
}

static int save_property(void *arg, const char *name)
{
	struct saving *s = arg;
	CgroupPropEntry *entry = dump_alloc(s->dump, sizeof(*entry));
	_cleanup_buf_ struct buf value = { 0 };
	struct stat st;
	int err = 0;

	if (!entry)
		return -ENOMEM;
	if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!cg_is_member_list(name))
		err = cg_read_property(s->dir, name, &value);
	if (!err && cg_is_freezer(name))
		err = freezer_value(s, !cg_is_v2(s->h), &value);
	/* EOPNOTSUPP: a controller that is off, or a threaded group; a property without a value is not restored. */
	if (err == -EOPNOTSUPP || err == -ENODEV || err == -EINVAL)
		return 0;
	if (err)
		return fail(err, "read %s of a cgroup", name);
	cgroup_prop_entry__init(entry);
	entry->name = dump_strdup(s->dump, name);
	entry->value = dump_strdup(s->dump, value.data ?: "");
	entry->perms = new_perms(s, &st);
	return entry->name && entry->value && entry->perms ? array_add(&s->props, entry) : -ENOMEM;
}

static int save_pattern(void *arg, const char *name)
{
	struct saving *s = arg;
	const struct dirent *file;
	int err = 0;

	if (!strchr(name, '*'))
		return save_property(s, name);
	rewinddir(s->list);
	while (!err && (file = readdir(s->list)))
		if (!fnmatch(name, file->d_name, 0))
			err = save_property(s, file->d_name);
	return err;
}

static int save_properties(struct saving *s, CgroupDirEntry *entry)
{
	int err;

	s->props = (struct prop_array){ 0 };
	err = cg_extra_each_property(s->dump, s->h, save_pattern, s);
	entry->n_properties = s->props.n;
	entry->properties = dump_alloc(s->dump, (s->props.n + 1) * sizeof(*entry->properties));
	if (!err && !entry->properties)
		err = -ENOMEM;
	if (!err && s->props.n)
		memcpy(entry->properties, s->props.v, s->props.n * sizeof(*s->props.v));
	array_free(&s->props);
	return err;
}

/* ---- which groups ---- */

/* A tid, if the group is threaded. */
static bool is_of_tree(struct dump *dump, pid_t id)
{
	struct dump_task *dt;

	if (dump_find_task(dump, id))
		return true;
	dump_for_each_task(dt, dump)
		for (size_t i = 0; i < dt->nr_threads; i++)
			if (dt->threads[i].id.host_tid == id)
				return true;
	return false;
}

/* Processes of another pid namespace are shown as 0. */
static bool has_others(struct saving *s, int dir)
{
	_cleanup_buf_ struct buf list = { 0 };
	int err = read_file(dir, "cgroup.procs", &list);

	if (err == -EOPNOTSUPP) {
		buf_clear(&list);
		err = read_file(dir, "cgroup.threads", &list);
	}
	if (err)
		return true;
	for (char *p = list.data; p && *p;) {
		pid_t id = (pid_t)strtol(p, &p, 10);

		if (!id || !is_of_tree(s->dump, id))
			return true;
		p += *p == '\n';
	}
	return false;
}

static bool subtree_has_others(struct saving *s, int parent, const char *name)
{
	_cleanup_close_ int dir = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	DIR *list = dir < 0 ? NULL : list_files(dir);
	bool others = !list || has_others(s, dir);
	const struct dirent *sub;

	while (!others && (sub = readdir(list)))
		if (sub->d_type == DT_DIR && sub->d_name[0] != '.')
			others = subtree_has_others(s, dir, sub->d_name);
	if (list)
		closedir(list);
	return others;
}

/* Is it used, or is there a used one below? */
static bool leads_to_used(const struct saving *s, const char *path)
{
	for (size_t i = 0; i < s->used.n; i++)
		if (cg_is_below(s->used.v[i], path))
			return true;
	return false;
}

static int save_group(struct saving *s, int parent, const char *path, CgroupDirEntry **ret);

static int save_children(struct saving *s, int dir, const char *path, CgroupDirEntry *entry)
{
	DIR *list = list_files(dir);
	bool shared = has_others(s, dir);
	struct dir_array found = { 0 };
	const struct dirent *sub;
	int err = list ? 0 : -errno;

	while (!err && (sub = readdir(list))) {
		const char *below;
		CgroupDirEntry *child;

		if (sub->d_type != DT_DIR || sub->d_name[0] == '.')
			continue;
		below = dump_printf(s->dump, "%s/%s", path, sub->d_name);
		if (!below)
			err = -ENOMEM;
		else if (leads_to_used(s, below) || (!shared && !subtree_has_others(s, dir, sub->d_name)))
			err = save_group(s, dir, below, &child) ?: array_add(&found, child);
	}
	if (list)
		closedir(list);
	entry->n_children = found.n;
	entry->children = dump_alloc(s->dump, (found.n + 1) * sizeof(*entry->children));
	if (!entry->children)
		err = -ENOMEM;
	else if (found.n)
		memcpy(entry->children, found.v, found.n * sizeof(*found.v));
	array_free(&found);
	return err;
}

/* @path: of the group, in the hierarchy; its directory is the last part of it in @parent, or all of it for a head. */
static int save_group(struct saving *s, int parent, const char *path, CgroupDirEntry **ret)
{
	CgroupDirEntry *entry = dump_alloc(s->dump, sizeof(*entry));
	const char *name = parent == s->h->root ? path + 1 : strrchr(path, '/') + 1;
	_cleanup_close_ int dir = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	struct stat st;
	int err = !entry ? -ENOMEM : dir < 0 ? dir : fstat(dir, &st) < 0 ? -errno : 0;

	if (err)
		return fail(err, "read the cgroup %s (%s)", path, cg_hierarchy_title(s->h));
	cgroup_dir_entry__init(entry);
	entry->dir_name = dump_strdup(s->dump, name);
	entry->dir_perms = new_perms(s, &st);
	if (!entry->dir_name || !entry->dir_perms)
		return fail(-ENOMEM, "cgroups");
	s->dir = dir;
	s->list = list_files(dir);
	err = s->list ? save_properties(s, entry) : -errno;
	if (s->list)
		closedir(s->list);
	if (!err)
		err = save_children(s, dir, path, entry);
	*ret = entry;
	return err ? fail(err, "save the cgroup %s (%s)", path, cg_hierarchy_title(s->h)) : 0;
}

/* ---- heads ---- */

static int cmp_path(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The root of the cgroup namespace of a set; NULL: none, or that of the hierarchy. */
static const char *root_of_namespace(const struct cg_set *set, const struct cg_hierarchy *at)
{
	char *const *roots = set->ns && !set->ns->own ? set->ns->data : NULL;
	const char *root = roots ? roots[at - set->at->v] : NULL;

	return root && *root ? root : NULL;
}

static int find_used(struct saving *s)
{
	const struct cg_dump *cg = cg_dump_of(s->dump);
	int err = 0;

	for (size_t i = 1; !err && i < cg->sets.n; i++) {
		const struct cg_set *set = &cg->sets.v[i];
		const struct cg_hierarchy *at = cg_hierarchy_find(set->at, s->h->name);
		const char *root = at ? root_of_namespace(set, at) : NULL;

		if (at)
			err = array_add(&s->used, at->path);
		if (!err && root)
			err = array_add(&s->used, root);
	}
	array_sort(&s->used, cmp_path);
	return err;
}

/* Not below the one before, which the same head may contain: with the root, each of the others has its own. */
static bool is_head(const struct saving *s, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (s->used.v[j][1] ? cg_is_below(s->used.v[i], s->used.v[j]) : !s->used.v[i][1])
			return false;
	return true;
}

/* The root group exists everywhere, and its properties are those of the machine. */
static int save_root(struct saving *s, CgroupDirEntry **ret)
{
	*ret = dump_alloc(s->dump, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	cgroup_dir_entry__init(*ret);
	(*ret)->dir_name = "";
	return 0;
}

int cg_save_groups(struct dump *dump, struct cg_hierarchy *h, CgControllerEntry *entry)
{
	struct saving s = { .dump = dump, .h = h };
	int err = find_used(&s);

	entry->dirs = dump_alloc(dump, (s.used.n + 1) * sizeof(*entry->dirs));
	if (!err && !entry->dirs)
		err = -ENOMEM;
	if (err)
		fail(err, "cgroups");
	for (size_t i = 0; !err && i < s.used.n; i++) {
		CgroupDirEntry **dir = &entry->dirs[entry->n_dirs];

		if (!is_head(&s, i))
			continue;
		err = s.used.v[i][1] ? save_group(&s, h->root, s.used.v[i], dir) : save_root(&s, dir);
		entry->n_dirs += !err;
	}
	array_free(&s.used);
	return err;
}
