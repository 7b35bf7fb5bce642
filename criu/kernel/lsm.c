// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/lsm.h"
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include "base/bits.h"
#include "util/fds.h"
#include "util/proc_root.h"

/* Registered by modules that are active. */
static bool has_file_system(const char *names, const char *name)
{
	const char *at = strstr(names, name);

	return at && at[-1] == '\t' && at[strlen(name)] == '\n';
}

/* An active one lists its own files. Linux 5.8; before that they are only in /sys. */
static bool has_apparmor(void)
{
	_cleanup_buf_ struct buf text = { 0 };

	if (!read_file(proc_root(), "self/attr/apparmor/current", &text))
		return true;
	text.len = 0;
	return !read_file(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", &text) && text.len &&
	       text.data[0] == 'Y';
}

enum lsm lsm_here(void)
{
	_cleanup_buf_ struct buf names = { 0 };

	if (!read_file(proc_root(), "filesystems", &names) && names.len) {
		if (has_file_system(names.data, "selinuxfs"))
			return LSM_SELINUX;
		if (has_file_system(names.data, "smackfs"))
			return LSM_SMACK;
	}
	return has_apparmor() ? LSM_APPARMOR : LSM_NONE;
}

const char *lsm_title(enum lsm lsm)
{
	static const char *const titles[] = { "no security module", "SELinux", "AppArmor", "Smack" };

	return (size_t)lsm < ARRAY_SIZE(titles) ? titles[lsm] : "unknown";
}

const char *lsm_label_file(enum lsm lsm)
{
	_cleanup_buf_ struct buf text = { 0 };

	return lsm == LSM_APPARMOR && !read_file(proc_root(), "self/attr/apparmor/current", &text) ?
		       "attr/apparmor/current" :
		       "attr/current";
}
