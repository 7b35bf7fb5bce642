// SPDX-License-Identifier: GPL-2.0-only
#include "netfilter/iptables_text.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

static char *const environment[] = { (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				     NULL };

/* It has @fd as standard input, and our standard error. A positive number is its wait status. */
static int run(const char *program, int fd)
{
	static const char *const folders[] = { "/usr/sbin", "/sbin", "/usr/local/sbin" };
	char *const argv[] = { (char *)program, (char *)"-w", NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int err = ENOENT, status = 0;
	pid_t pid = -1;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	for (size_t i = 0; err == ENOENT && i < ARRAY_SIZE(folders); i++) {
		char path[64];

		err = str_format(path, sizeof(path), "%s/%s", folders[i], program) ?:
			      posix_spawn(&pid, path, &files, &attributes, argv, environment);
	}
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	if (err)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

int iptables_text_execute(int family, const char *text)
{
	static const char *const programs[2][2] = { { "iptables-legacy-restore", "iptables-restore" },
						    { "ip6tables-legacy-restore", "ip6tables-restore" } };
	_cleanup_close_ int fd = memfd_create("iptables", MFD_CLOEXEC);
	const char *program = "";
	int result = -ENOENT, err = fd < 0 ? -errno : write_full(fd, text, strlen(text));

	if (err < 0)
		return fail(err, "pass the rules of iptables");
	for (size_t i = 0; result == -ENOENT && i < ARRAY_SIZE(programs[0]); i++) {
		if (lseek(fd, 0, SEEK_SET) < 0)
			return fail(-errno, "pass the rules of iptables");
		program = programs[family == AF_INET6][i];
		result = run(program, fd);
	}
	if (result == -ENOENT)
		return fail(-ENOPKG, "the images have rules as text of iptables-save: %s (Debian: iptables) is needed",
			    program);
	if (result < 0)
		return fail(result, "execute %s", program);
	return result ? fail(-EINVAL, "%s has refused the rules of the images (status 0x%x)", program,
			     (unsigned)result) :
			0;
}
