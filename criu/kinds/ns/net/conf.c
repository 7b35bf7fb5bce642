// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings of devices in /proc/sys/net/ipv4/conf and ipv6/conf. RTM_GETLINK reports those of all devices in two arrays, which
 * saves hundreds of files; IPv4 ones can be set like that, too. For `all` and `default` there are only files.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"
#include "util/log.h"
#include "util/str.h"

#define PATH_ROOM 128

static const struct conf_name *find_name(const struct conf_name *names, size_t nr, const char *name)
{
	for (size_t i = 0; i < nr; i++)
		if (str_eq(names[i].name, name))
			return &names[i];
	return NULL;
}

/* "ipv4/conf/eth0/forwarding" */
bool conf_has(const char *path, bool *ret_in_array)
{
	for (int i = 0; i < CONF_FAMILIES; i++) {
		const struct conf_family *family = &conf_families[i];
		size_t len = strlen(family->dir);
		const char *name = strrchr(path, '/');

		if (strncmp(path, family->dir, len) || strncmp(path + len, "/conf/", 6))
			continue;
		*ret_in_array = (find_name(family->more, family->nr_more, name + 1) ||
				 (i == CONF_IPV6 && str_eq(name + 1, "addr_gen_mode"))) &&
				strncmp(path + len + 6, "all/", 4) && strncmp(path + len + 6, "default/", 8);
		return find_name(family->names, family->nr, name + 1) != NULL;
	}
	*ret_in_array = false;
	return false;
}

/* ---- dump ---- */

static int set_number(SysctlEntry *entry, const char *text)
{
	int64_t value;
	int err = parse_s64(text, &value);

	if (err)
		return err;
	entry->has_iarg = true;
	entry->iarg = (int32_t)value;
	return 0;
}

/* Where the files of a device are, of `all` or of `default`. */
struct conf_dir {
	int family, fd;
	const char *which;
};

static int open_dir(int family, const char *which, struct conf_dir *ret)
{
	char path[PATH_ROOM];
	int err = str_format(path, sizeof(path), "%s/conf/%s", conf_families[family].dir, which);

	*ret = (struct conf_dir){ family, err ? err : net_sysctl_dir(path), which };
	/* None of its files exists. */
	return ret->fd >= 0 || ret->fd == -ENOENT ? 0 : fail(ret->fd, "open /proc/sys/net/%s", path);
}

static int save_file(struct dump *dump, const struct conf_dir *dir, const struct conf_name *name, SysctlEntry *entry)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = dir->fd < 0 ? dir->fd : net_sysctl_read_at(dir->fd, name->name, &text);

	/* This kernel does not have it, or the secret has not been set. */
	if (err == -ENOENT || (err == -EIO && name->how == CONF_TEXT))
		return 0;
	if (!err && name->how == CONF_TEXT) {
		entry->sarg = dump_strdup(dump, text.data);
		err = entry->sarg ? 0 : -ENOMEM;
	} else if (!err) {
		err = set_number(entry, text.data);
	}
	return err ? fail(err, "read /proc/sys/net/%s/conf/%s/%s", conf_families[dir->family].dir, dir->which,
			  name->name) :
		     0;
}

static int new_list(struct dump *dump, int family, struct conf_list *ret, SysctlEntry **ret_entries)
{
	const struct conf_family *f = &conf_families[family];
	SysctlEntry *entries = dump_alloc(dump, f->nr * sizeof(*entries));

	ret->v = dump_alloc(dump, f->nr * sizeof(SysctlEntry *));
	if (!ret->v || !entries)
		return fail(-ENOMEM, "sysctls");
	for (size_t i = 0; i < f->nr; i++) {
		sysctl_entry__init(&entries[i]);
		entries[i].type = f->names[i].how == CONF_TEXT ? SYSCTL_TYPE__CTL_STR : SYSCTL_TYPE__CTL_32;
		ret->v[i] = &entries[i];
	}
	ret->n = f->nr;
	*ret_entries = entries;
	return 0;
}

int conf_save_files(struct dump *dump, int family, const char *which, struct conf_list *ret)
{
	SysctlEntry *entries;
	struct conf_dir dir = { .fd = -1 };
	int err = new_list(dump, family, ret, &entries);

	if (!err)
		err = open_dir(family, which, &dir);
	for (size_t i = 0; !err && i < ret->n; i++)
		err = save_file(dump, &dir, &conf_families[family].names[i], &entries[i]);
	cleanup_close(&dir.fd);
	return err;
}

static int save_text(struct dump *dump, int family, const char *device, const struct conf_name *name,
		     SysctlEntry *entry)
{
	struct conf_dir dir;
	int err = open_dir(family, device, &dir);

	if (!err)
		err = save_file(dump, &dir, name, entry);
	cleanup_close(&dir.fd);
	return err;
}

static int32_t value_in(const struct conf_array *array, const struct conf_name *name)
{
	return name->how == CONF_MS && array->v[name->index] > 0 ? array->v[name->index] / 1000 : array->v[name->index];
}

int conf_save_device(struct dump *dump, int family, const char *device, const struct conf_array *array,
		     struct conf_list *ret)
{
	SysctlEntry *entries;
	int err = new_list(dump, family, ret, &entries);

	for (size_t i = 0; !err && array->n && i < ret->n; i++) {
		const struct conf_name *name = &conf_families[family].names[i];

		if (name->how == CONF_TEXT) {
			err = save_text(dump, family, device, name, &entries[i]);
		} else if (name->index < array->n) {
			entries[i].has_iarg = true;
			entries[i].iarg = value_in(array, name);
		}
	}
	return err;
}

/* ---- restore ---- */

int conf_check(const char *image, uint32_t id, int family, const struct conf_list *list)
{
	for (size_t i = 0; i < list->n && i < conf_families[family].nr; i++) {
		const SysctlEntry *entry = list->v[i];

		if ((conf_families[family].names[i].how == CONF_TEXT) != (entry->type == SYSCTL_TYPE__CTL_STR) ||
		    (entry->sarg && strchr(entry->sarg, '\n')))
			return fail(-EBADMSG, "%s-%u.img: invalid value of sysctl %s/conf/.../%s", image, id,
				    conf_families[family].dir, conf_families[family].names[i].name);
	}
	return 0;
}

static int fill_file(struct restore *r, int family, const char *which, const struct conf_name *name,
		     const SysctlEntry *entry)
{
	char path[PATH_ROOM], number[16];
	int err = str_format(path, sizeof(path), "%s/conf/%s/%s", conf_families[family].dir, which, name->name);

	if (err)
		return fail(err, "sysctl %s", name->name);
	if (entry->sarg)
		return net_sysctl_write(r, path, entry->sarg);
	if (!entry->has_iarg)
		return 0;
	snprintf(number, sizeof(number), name->how == CONF_U32 ? "%u" : "%d", entry->iarg);
	return net_sysctl_write(r, path, number);
}

/* Forwarding sets others, in IPv4 accept_redirects. */
static bool comes_first(const struct conf_name *name)
{
	return str_eq(name->name, "forwarding");
}

int conf_fill_files(struct restore *r, int family, const char *which, const struct conf_list *list)
{
	const struct conf_family *f = &conf_families[family];
	int err = 0;

	for (int first = 1; first >= 0; first--)
		for (size_t i = 0; !err && i < list->n && i < f->nr; i++)
			if (comes_first(&f->names[i]) == first)
				err = fill_file(r, family, which, &f->names[i], list->v[i]);
	return err;
}

int conf_fill_device(struct restore *r, int family, const char *device, const struct conf_list *list,
		     const struct conf_array *now)
{
	const struct conf_family *f = &conf_families[family];
	int err = 0;

	for (size_t i = 0; !err && i < list->n && i < f->nr; i++) {
		const struct conf_name *name = &f->names[i];
		const SysctlEntry *entry = list->v[i];

		if (entry->has_iarg && name->index < now->n && value_in(now, name) == entry->iarg)
			continue;
		err = fill_file(r, family, device, name, entry);
	}
	return err;
}

int conf_fill_more(struct restore *r, int family, const char *device, const struct conf_array *saved,
		   const struct conf_array *now)
{
	const struct conf_family *f = &conf_families[family];
	int err = 0;

	for (size_t i = 0; !err && i < f->nr_more; i++) {
		const struct conf_name *name = &f->more[i];
		SysctlEntry entry = SYSCTL_ENTRY__INIT;

		if (name->index >= saved->n || name->index >= now->n || value_in(saved, name) == value_in(now, name))
			continue;
		entry.has_iarg = true;
		entry.iarg = value_in(saved, name);
		err = fill_file(r, family, device, name, &entry);
	}
	return err;
}
