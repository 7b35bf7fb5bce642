# SPDX-License-Identifier: GPL-2.0-only
"""A process tree, as /proc shows it."""
import contextlib
import os
import select
import signal

from .common import Failed

PF_EXITING = 4


def thread_may_run(path):
    # Names of threads are any bytes, of which the kernel keeps 15: often not all of the last character.
    with open(f"{path}/status", errors="replace") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    with open(f"{path}/stat", errors="replace") as f:
        flags = int(f.read().rpartition(")")[2].split()[6])
    pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    return not pending >> (signal.SIGKILL - 1) & 1 and not flags & PF_EXITING


def may_run(pid):
    """Not if all its threads have ended, or must end. The first one may have ended before the others."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return False
    for tid in threads:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            try:
                if thread_may_run(f"/proc/{pid}/task/{tid}"):
                    return True
            except (ValueError, IndexError, KeyError):
                return True
    return False


def children(pid):
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/children") as f:
            found += map(int, f.read().split())
    return found


class Tree:
    def __init__(self, pid):
        self.root = pid
        try:
            self.pidfd = os.pidfd_open(pid)
        except OSError as e:
            raise Failed(f"pid {pid}: {e.strerror}") from e

    def goes_on(self):
        """Not if it has ended, or must end: a signal that has been sent is not taken back."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        if poll.poll(0):
            return False
        return may_run(self.root) and not poll.poll(0)

    def pids(self):
        found = [self.root]
        for pid in found:
            with contextlib.suppress(OSError):
                found += children(pid)
        return found

    def frozen_pids(self):
        """All of them, while none comes or ends. None: not known."""
        found = [self.root]
        try:
            for pid in found:
                found += children(pid)
        except OSError:
            return None
        return found

    def tids(self):
        """Of all threads: a restore needs each of these numbers."""
        found = []
        for pid in self.pids():
            try:
                found += map(int, os.listdir(f"/proc/{pid}/task"))
            except OSError:
                pass
        return found

    def shares(self, namespace):
        return os.readlink(f"/proc/{self.root}/ns/{namespace}") == os.readlink(f"/proc/self/ns/{namespace}")

    def files(self):
        """Files that are mapped, with their sizes."""
        found = {}
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/maps", errors="surrogateescape") as f:
                    names = {line.split(None, 5)[5].rstrip("\n") for line in f if line.count(" ") > 4 and "/" in line}
            except (OSError, IndexError):
                continue
            for name in names:
                try:
                    found[name] = os.stat(name).st_size
                except OSError:
                    pass
        return {name: size for name, size in found.items() if name.startswith("/") and not name.startswith("/dev/")}

    def memory(self):
        """What images need at most: shared memory once, no mapped files."""
        return self.sum_of("Anonymous:", "Pss_Shmem:")

    def needs(self):
        """The memory that is in use: what is shared, once."""
        return self.sum_of("Pss_Anon:", "Pss_Shmem:")

    def sum_of(self, *names):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    total += sum(int(line.split()[1]) << 10 for line in f if line.startswith(names))
            except OSError:
                pass
        return total
