// SPDX-License-Identifier: GPL-2.0-only
/* Are there writers to an inode that may be executed? */
#include <errno.h>
#include <signal.h>
#include "base/cleanup.h"
#include "kinds/fd/memfd/internal.h"
#include "kinds/fd/reopen.h"

/*
 * The description returned by memfd_create(2) is not counted as a writer; those of open(2) are, and while there are
 * any, the memory cannot be executed. A read lease is only granted without writers (fcntl(2), F_SETLEASE). A process
 * outside the tree that opens the file for writing at this instant waits for us; the signal of the lease is one that is
 * ignored by default.
 */
static bool has_writers(int local)
{
	_cleanup_close_ int fd = reopen_fd(local, O_RDONLY | O_NONBLOCK);

	if (fd < 0 || fcntl(fd, F_SETSIG, SIGURG) < 0)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

void memfd_check_writers(struct dump *dump, struct memfd_seen *seen, int local)
{
	if (!seen->runs || seen->asked || dump_is_check(dump))
		return;
	seen->asked = true;
	seen->has_writers = has_writers(local);
}
