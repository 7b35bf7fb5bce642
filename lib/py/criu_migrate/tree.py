# SPDX-License-Identifier: GPL-2.0-only
"""A process tree, as /proc shows it."""
import os
import select

from .common import Failed


class Tree:
    def __init__(self, pid):
        self.root = pid
        try:
            self.pidfd = os.pidfd_open(pid)
        except OSError as e:
            raise Failed(f"pid {pid}: {e.strerror}") from e

    def is_alive(self):
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return not poll.poll(0)

    def pids(self):
        found = [self.root]
        for pid in found:
            try:
                for tid in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{tid}/children") as f:
                        found += map(int, f.read().split())
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
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/statm") as f:
                    total += int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                pass
        return total
