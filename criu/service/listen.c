// SPDX-License-Identifier: GPL-2.0-only
#include "service/listen.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/options.h"
#include "service/wire.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

#define BACKLOG 128
/* sd_listen_fds(3) */
#define PASSED_FD 3

static bool is_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint32_t number;

	return pid && fds && parse_u32(pid, &number) == 0 && (pid_t)number == getpid() && str_eq(fds, "1");
}

static int take_passed(void)
{
	int accepting, err = wire_check(PASSED_FD);
	socklen_t len = sizeof(accepting);

	if (!err && (getsockopt(PASSED_FD, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &len) < 0 || !accepting))
		err = -EINVAL;
	if (!err)
		err = set_cloexec(PASSED_FD, true);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	return err ? fail(err, "the socket passed by the service manager; expected a listening SOCK_SEQPACKET socket") :
		     PASSED_FD;
}

/* No process listens there any more. */
static bool is_dead(const struct sockaddr_un *address)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	return sock >= 0 && connect(sock, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
	       errno == ECONNREFUSED;
}

static int make_way(const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : fail(-errno, "--address %s", address->sun_path);
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return fail(-EEXIST, "--address %s: there is another file; remove it", address->sun_path);
	if (!is_dead(address))
		return fail(-EADDRINUSE, "--address %s: a service is listening there", address->sun_path);
	return unlink(address->sun_path) < 0 ? fail(-errno, "remove the dead socket %s", address->sun_path) : 0;
}

/* The mode is that of the file from the start. */
static int bind_private(int sock, const struct sockaddr_un *address, mode_t mode)
{
	mode_t was = umask(0777 & ~mode);
	int err = bind(sock, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

	umask(was);
	return err;
}

int listen_open(const struct options *opts, const char **ret_path)
{
	const char *path = opts->address ? opts->address : LISTEN_NAME;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = -1;
	int err;

	*ret_path = NULL;
	if (!opts->address && is_passed())
		return take_passed();
	if (str_format(address.sun_path, sizeof(address.sun_path), "%s", path) < 0)
		return fail(-ENAMETOOLONG, "--address %s: longer than %zu bytes", path, sizeof(address.sun_path) - 1);
	err = make_way(&address);
	if (err)
		return err;
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fail(-errno, "socket");
	err = bind_private(sock, &address, opts->socket_mode);
	if (err)
		return fail(err, "--address %s%s", path, err == -ENOENT ? " (create its directory first)" : "");
	if (listen(sock, BACKLOG) < 0) {
		err = -errno;
		unlink(path);
		return fail(err, "listen on %s", path);
	}
	*ret_path = path;
	return steal_fd(&sock);
}
