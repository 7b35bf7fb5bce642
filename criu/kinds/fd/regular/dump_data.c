// SPDX-License-Identifier: GPL-2.0-only
/* Shared by the dump side of this kind: per-run data, and comparing a path with a file, names for messages. */
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include "kernel/mountinfo.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "util/str.h"

struct regular_dump *regular_dump_data(struct dump *dump)
{
	return kind_data_of(&dump->arena, dump_kind_data(dump, &regular_kind), sizeof(struct regular_dump));
}

bool regular_refuse_covered(struct dump *dump, const struct subject *s, RegFileEntry *reg)
{
	const struct mount_info *by = path_waits(&dump->roots, s->mnt_id, s->link, O_PATH);

	if (!by)
		return false;
	dump_blocker(
		dump, s->task, s->fd,
		"%s is covered by the autofs mount at %s, whose daemon would be asked for it: that is not supported; close it, or unmount that",
		s->link, by->mountpoint);
	reg->name = (char *)s->link;
	return true;
}

bool name_leads_to(const struct dump *dump, const struct subject *s, const char *path)
{
	struct stat now;

	return !path_stat(&dump->roots, s->mnt_id, path, false, &now) && now.st_dev == s->st.st_dev &&
	       now.st_ino == s->st.st_ino;
}

void regular_external_name(int local, const struct stat *st, char *ret_name, size_t size)
{
	struct statx sx = { 0 };

	if (statx(local, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		sx.stx_mnt_id = 0;
	snprintf(ret_name, size, "file[%llx:%lx]", (unsigned long long)sx.stx_mnt_id, (unsigned long)st->st_ino);
}

const char *regular_external_hint(struct dump *dump, const struct subject *s)
{
	char name[64];

	if (s->fd < 0)
		return "";
	regular_external_name(s->local, &s->st, name, sizeof(name));
	return dump_printf(dump, "; --external '%s' leaves it out, to be replaced at restore with --inherit-fd 'fd[N]:%s'", name, name) ?:
		       "";
}

bool is_silly_renamed(const struct subject *s, const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	struct statfs fs;

	return str_has_prefix(base, ".nfs") && strlen(base) == 4 + 24 && !fstatfs(s->local, &fs) &&
	       fs.f_type == NFS_SUPER_MAGIC;
}
