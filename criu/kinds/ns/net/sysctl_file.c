// SPDX-License-Identifier: GPL-2.0-only
/* Files below /proc/sys/net: those of the namespace of the process that looks them up. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "internal.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define ROOT "sys/net/"
#define PATH_ROOM 256

static void cut_newline(struct buf *text)
{
	while (text->len && text->data[text->len - 1] == '\n')
		text->data[--text->len] = '\0';
}

int net_sysctl_dir(const char *path)
{
	return open_fmt(proc_root(), O_PATH | O_DIRECTORY | O_CLOEXEC, ROOT "%s", path);
}

int net_sysctl_read_at(int dir, const char *name, struct buf *ret)
{
	int err;

	ret->len = 0;
	err = read_record(dir, name, ret);
	if (err < 0)
		return err;
	/* An empty file has no buffer. */
	err = buf_reserve(ret, 1);
	if (err)
		return err;
	ret->data[ret->len] = '\0';
	cut_newline(ret);
	return 0;
}

int net_sysctl_read(const char *path, struct buf *ret)
{
	char full[PATH_ROOM];
	int err = str_format(full, sizeof(full), ROOT "%s", path);

	return err ? err : net_sysctl_read_at(proc_root(), full, ret);
}

int net_sysctl_write(struct restore *r, const char *path, const char *value)
{
	char full[PATH_ROOM];
	int err = str_format(full, sizeof(full), ROOT "%s", path);

	if (!err)
		err = write_text(proc_root(), full, *value ? value : "\n");
	if (err < 0 && r->opts->weak_sysctls) {
		log_warn("sysctl net/%s cannot be set to %s: errno %d", path, value, -err);
		return 0;
	}
	return err < 0 ? fail(err, "set sysctl net/%s to %s (--weak-sysctls ignores that)", path, value) : 0;
}
