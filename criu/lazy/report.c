// SPDX-License-Identifier: GPL-2.0-only
/* Where the daemon and its holder report. */
#include "lazy/report.h"
#include <sys/stat.h>
#include "util/fds.h"
#include "util/log.h"

#define LOG_FILE "lazy-pages.log"

/* Nobody reads our stderr any more, and whoever has the other end of a pipe there waits for its end. */
bool lazy_has_log_file(void)
{
	struct stat st;

	return log_fd() >= 0 && fstat(log_fd(), &st) == 0 && S_ISREG(st.st_mode);
}

void lazy_log(struct lazy_daemon *d)
{
	int fd;

	if (log_fd() >= 0 || d->work_dir < 0)
		return;
	fd = open_at(d->work_dir, LOG_FILE, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
	if (fd >= 0)
		log_to_fd(fd);
}
