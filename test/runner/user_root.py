#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""user_root.py [--count N] PROGRAM...: runs a program as root of a new user namespace: all capabilities there, none outside. As newuidmap(1) would map them,
the ids in it are others outside; and there are enough of them for one more namespace in it."""
import ctypes
import os
import sys

FIRST, COUNT = 100000, 400000
CLONE_NEWUSER, PR_SET_DUMPABLE = 0x10000000, 4


def map_ids(pid, count):
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", "w") as f:
            f.write(f"0 {FIRST} {count}")


def enter(count=COUNT):
    """Makes the calling process root of a new user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    ours, theirs = os.pipe()
    mapper = os.fork()
    if not mapper:
        try:
            os.read(ours, 1)
            map_ids(os.getppid(), count)
            os._exit(0)
        finally:
            os._exit(1)
    if libc.unshare(CLONE_NEWUSER):
        why = os.strerror(ctypes.get_errno())
        os.close(theirs)
        os.close(ours)
        raise OSError(f"create a user namespace: {why}")
    os.write(theirs, b"x")
    os.close(theirs)
    os.close(ours)
    if os.waitpid(mapper, 0)[1]:
        raise OSError("map the ids of a user namespace")
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] == "--count":
        enter(int(words[1]))
        words = words[2:]
    else:
        enter()
    os.execvp(words[0], words)
