// SPDX-License-Identifier: GPL-2.0-only
/* Terminal devices: what any descriptor of one reports and accepts. ioctl_tty(2) */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include "kernel/device.h"
#include "kinds/fd/tty/internal.h"

#define TTY_GET_TERMIOS2 _IOR('T', 0x2A, struct tty_termios)
#define TTY_SET_TERMIOS2 _IOW('T', 0x2B, struct tty_termios)
#define TTY_GET_DEV _IOR('T', 0x32, unsigned int)

enum tty_role tty_role_of(dev_t rdev)
{
	unsigned int maj = major(rdev), min = minor(rdev);

	if (maj == TTY_MAJOR_AUX && min == 2)
		return TTY_MASTER;
	if (maj >= TTY_MAJOR_UNIX98_SLAVE && maj <= TTY_MAJOR_UNIX98_LAST)
		return TTY_SLAVE;
	if (maj == TTY_MAJOR_AUX && min == 0)
		return TTY_OWN;
	return maj == 4 || maj == TTY_MAJOR_AUX ? TTY_OTHER : TTY_NONE;
}

int tty_get_termios(int fd, struct tty_termios *ret)
{
	struct tty_termios t = { 0 };

	if (ioctl(fd, TTY_GET_TERMIOS2, &t) < 0)
		return -errno;
	*ret = t;
	return 0;
}

int tty_set_termios(int fd, const struct tty_termios *t)
{
	return ioctl(fd, TTY_SET_TERMIOS2, t) < 0 ? -errno : 0;
}

int tty_index_of_master(int fd, uint32_t *ret_index)
{
	unsigned int index;

	if (ioctl(fd, TIOCGPTN, &index) < 0)
		return -errno;
	*ret_index = index;
	return 0;
}

int tty_device_behind(int fd, dev_t *ret_dev)
{
	unsigned int nr;

	if (ioctl(fd, TTY_GET_DEV, &nr) < 0)
		return -errno;
	*ret_dev = kdev_to_dev(ttynr_to_kdev(nr));
	return 0;
}

int tty_index_behind(int fd, uint32_t *ret_index)
{
	dev_t dev;
	int err = tty_device_behind(fd, &dev);

	if (err < 0)
		return err;
	if (tty_role_of(dev) != TTY_SLAVE)
		return -ENOTTY;
	*ret_index = minor(dev);
	return 0;
}

void tty_external_key(dev_t rdev, dev_t dev, char ret_key[static TTY_KEY_MAX])
{
	snprintf(ret_key, TTY_KEY_MAX, "tty[%lx:%lx]", (unsigned long)rdev, (unsigned long)dev);
}

int tty_without_sigttou(int fd, int (*act)(int fd, const void *arg), const void *arg)
{
	sigset_t block, was;
	int err;

	sigemptyset(&block);
	sigaddset(&block, SIGTTOU);
	sigprocmask(SIG_BLOCK, &block, &was);
	err = act(fd, arg);
	sigprocmask(SIG_SETMASK, &was, NULL);
	return err;
}

int tty_call_set_termios(int fd, const void *termios)
{
	return tty_set_termios(fd, termios);
}
