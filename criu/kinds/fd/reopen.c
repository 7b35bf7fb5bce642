// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/reopen.h"
#include "run/restore.h"
#include "util/log.h"

int set_status_flags(struct restore *r, int fd, unsigned flags, const FownEntry *fown)
{
	int now, err;

	if (flags & O_PATH)
		return 0;
	err = restore_fown(r, fd, fown);
	if (err)
		return err;
	now = fcntl(fd, F_GETFL);
	if (now < 0)
		return fail(-errno, "fcntl(F_GETFL)");
	if (((unsigned)now ^ flags) & FLAGS_OF_STATUS && fcntl(fd, F_SETFL, flags & FLAGS_OF_STATUS) < 0)
		return fail(-errno, "fcntl(F_SETFL, %#x)", flags & FLAGS_OF_STATUS);
	r->process.has_async |= (flags & O_ASYNC) != 0;
	return 0;
}
