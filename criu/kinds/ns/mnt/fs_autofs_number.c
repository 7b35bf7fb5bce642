// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore: the device number of an autofs. Daemons remember it (systemd, automount), and the kernel finds a mount for them only by the
 * right one (AUTOFS_DEV_IOCTL_OPENMOUNT): with another one no request would ever be answered. The kernel gives a new file system
 * the lowest number that is free. So before the restore creates any, a helper process creates file systems until it has the numbers
 * that are needed, and gives each of them up when its autofs is created. They are attached nowhere, and end with the helper: when all
 * processes that have the other end of its socket have closed it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kinds/ns/mnt/autofs.h"
#include "util/fds.h"
#include "util/log.h"

#define HELD_MAX 500

struct wanted {
	const uint32_t *numbers;
	size_t nr;
	int sock;
};

static int create_any(uint32_t *ret_number)
{
	_cleanup_close_ int fs = fsopen("ramfs", FSOPEN_CLOEXEC);
	_cleanup_close_ int fd = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fd < 0 || autofs_number_of(fd, ret_number))
		return -errno;
	return steal_fd(&fd);
}

/* Its place in the list; w->nr: it is not wanted. */
static size_t place_of(const struct wanted *w, uint32_t number)
{
	size_t i = 0;

	while (i < w->nr && w->numbers[i] != number)
		i++;
	return i;
}

static uint32_t highest(const struct wanted *w)
{
	uint32_t max = 0;

	for (size_t i = 0; i < w->nr; i++)
		max = w->numbers[i] > max ? w->numbers[i] : max;
	return max;
}

/* What is not wanted is lower, and is kept, too. */
static void take(const struct wanted *w, int *held)
{
	uint32_t number = 0, max = highest(w);
	size_t found = 0;

	for (int i = 0; i < HELD_MAX && found < w->nr; i++) {
		int fd = create_any(&number);
		size_t at = fd < 0 ? w->nr : place_of(w, number);

		if (fd < 0)
			return;
		if (number > max) {
			close(fd);
			return;
		}
		if (at < w->nr) {
			held[at] = fd;
			found++;
		}
	}
}

static int hold(void *arg)
{
	const struct wanted *w = arg;
	int *held = malloc(w->nr * sizeof(*held));
	uint32_t number;
	char done = 0;

	if (!held)
		return 1;
	for (size_t i = 0; i < w->nr; i++)
		held[i] = -1;
	take(w, held);
	/* The first answer: they are held; then one for each number that is given up. */
	while (write(w->sock, &done, 1) == 1 && read(w->sock, &number, sizeof(number)) == sizeof(number)) {
		size_t at = place_of(w, number);

		if (at < w->nr && held[at] >= 0)
			close(held[at]);
		if (at < w->nr)
			held[at] = -1;
	}
	return 0;
}

int autofs_number_of(int fd, uint32_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = kdev_make(major(st.st_dev), minor(st.st_dev));
	return 0;
}

int autofs_numbers_hold(struct autofs_numbers *n, const uint32_t *numbers, size_t nr, int base)
{
	int pair[2], err;
	char done;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	struct wanted wanted = { numbers, nr, pair[1] };
	struct helper_job job = { .run = hold, .arg = &wanted, .keeps = &pair[1], .nr_keeps = 1 };
	err = helper_start(&n->helper, &job);
	close(pair[1]);
	if (!err) {
		n->sock = move_fd_above(pair[0], base);
		err = n->sock < 0 ? n->sock : 0;
	}
	if (err) {
		close(pair[0]);
		return err;
	}
	/* Without it another number may be taken, which is noticed. */
	if (read(n->sock, &done, 1) != 1)
		log_warn("the device numbers of autofs mounts could not be reserved");
	return 0;
}

void autofs_numbers_give_up(const struct autofs_numbers *n, uint32_t number)
{
	char done;

	if (n->sock >= 0 && send(n->sock, &number, sizeof(number), MSG_NOSIGNAL) == sizeof(number) &&
	    read(n->sock, &done, 1) < 0)
		log_warn("the device number of an autofs mount could not be reserved");
}

void autofs_numbers_end(struct autofs_numbers *n)
{
	if (n->sock >= 0)
		close(n->sock);
	n->sock = -1;
	if (n->helper.pid)
		helper_kill(&n->helper);
}
