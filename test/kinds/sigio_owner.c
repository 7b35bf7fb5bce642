// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who set the owner of a descriptor (F_GETOWNER_UIDS): another user, one with two ids, root. It determines which tasks
 * the signal may reach. A lease has such an owner, too.
 * test: flavours=host,pid options=--file-locks restore-options=--file-locks breaks=1
 */
#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

static int made(int fds[2], uid_t real, uid_t effective)
{
	need(!pipe(fds), "pipe");
	need(!syscall(SYS_setresuid, real, effective, 0), "setresuid");
	need(!fcntl(fds[0], F_SETOWN, getpid()), "F_SETOWN");
	need(!syscall(SYS_setresuid, 0, 0, 0), "setresuid");
	return fds[0];
}

static void same(int fd, uid_t real, uid_t effective)
{
	uid_t uids[2] = { ~0u, ~0u };

	check(!fcntl(fd, F_GETOWNER_UIDS, uids) && uids[0] == real && uids[1] == effective &&
		      fcntl(fd, F_GETOWN) == getpid(),
	      "descriptor %d: set by %u (%u), owner %d", fd, uids[0], uids[1], fcntl(fd, F_GETOWN));
}

int main(int argc, char **argv)
{
	int one[2], two[2], root[2], leased, sig = 0;
	uid_t uids[2];

	test_init(argc, argv);
	prctl(PR_SET_DUMPABLE, 1);
	made(one, 65534, 65534);
	made(two, 1000, 65534);
	made(root, 0, 0);
	if (fcntl(one[0], F_GETOWNER_UIDS, uids))
		test_skip("this kernel has no F_GETOWNER_UIDS");
	leased = open("leased", O_RDWR | O_CREAT, 0600);
	need(!fchown(leased, 65534, 65534), "fchown");
	need(!syscall(SYS_setresuid, 65534, 65534, 0) && !fcntl(leased, F_SETLEASE, F_WRLCK) &&
		     !syscall(SYS_setresuid, 0, 0, 0),
	     "F_SETLEASE: %s", strerror(errno));
	need(!prctl(PR_SET_PDEATHSIG, SIGURG) && !prctl(PR_SET_DUMPABLE, 1), "prctl");
	if (checkpoint_here() == 1)
		fcntl(two[0], F_SETOWN, getpid());
	same(one[0], 65534, 65534);
	same(two[0], 1000, 65534);
	same(root[0], 0, 0);
	same(leased, 65534, 65534);
	check(fcntl(leased, F_GETLEASE) == F_WRLCK, "the lease");
	check(prctl(PR_GET_DUMPABLE) == 1 && !prctl(PR_GET_PDEATHSIG, &sig) && sig == SIGURG, "dumpable, signal %d",
	      sig);
	test_done();
}
