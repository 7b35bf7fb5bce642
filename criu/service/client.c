// SPDX-License-Identifier: GPL-2.0-only
#include "service/client.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "util/fds.h"
#include "util/proc_root.h"

/* Of headers newer than ours. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* Without SO_PEERPIDFD (Linux 6.5) the pid may be that of another process by now, if the client ended. */
static int open_pidfd(int sock, pid_t pid)
{
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	if (!pid)
		return -ESRCH;
	if (!getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len))
		return pidfd;
	/* Any other error: it has ended, and its pid may be that of another process by now. */
	return errno == ENOPROTOOPT ? sys_pidfd_open(pid, 0) : -ESRCH;
}

int client_begin(struct client *client, int sock)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int pidfd;

	*client = (struct client){ .sock = sock, .pidfd = -1 };
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	client->pid = peer.pid;
	pidfd = open_pidfd(sock, peer.pid);
	client->pidfd = pidfd < 0 ? -1 : pidfd;
	return 0;
}

void client_end(struct client *client)
{
	cleanup_close(&client->pidfd);
}

bool client_has_ended(const struct client *client)
{
	struct pollfd ends = { .fd = client->pidfd, .events = POLLIN };

	return client->pidfd >= 0 && poll(&ends, 1, 0) > 0;
}

/*
 * By its path in /proc, which takes no more rights than reading it, unlike pidfd_getfd(2), which is tracing the client. The
 * process that has been opened there is the client if the client still exists afterwards.
 */
static int open_number(const struct client *client, int number, int flags)
{
	int fd;

	if (client->pidfd < 0)
		return -ESRCH;
	fd = open_fmt(proc_root(), flags, "%d/fd/%d", client->pid, number);
	if (fd >= 0 && sys_pidfd_send_signal(client->pidfd, 0) == -ESRCH) {
		close(fd);
		return -ESRCH;
	}
	return fd == -ENOENT ? -EBADF : fd;
}

int client_open_dir(const struct client *client, int number)
{
	return open_number(client, number, O_RDONLY | O_DIRECTORY);
}

int client_open_output(const struct client *client, int number)
{
	return open_number(client, number, O_WRONLY | O_NOCTTY | O_NONBLOCK);
}

int client_get_fd(const struct client *client, int number)
{
	return client->pidfd < 0 ? -ESRCH : sys_pidfd_getfd(client->pidfd, number);
}
