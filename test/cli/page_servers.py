# SPDX-License-Identifier: GPL-2.0-only
"""A criu page-server that is running, for tests of it."""
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/../apps")
from tools import *  # noqa: E402,F403

PASSED = 300            # descriptors from there on are passed to programs


class PageServer:
    def __init__(self, *options, images=None, wait=True):
        self.images = images or images_dir()
        ready = os.pipe()
        os.dup2(ready[1], PASSED)
        self.pid = spawn([CRIU, "page-server", "-D", self.images, "-o", "ps.log", "-v4", "--status-fd", str(PASSED), *map(str, options)],
                         out="ps.out")
        os.close(ready[1])
        os.close(PASSED)
        told = os.read(ready[0], 10) if wait else b"\0"
        os.close(ready[0])
        want(told == b"\0", f"--status-fd: {told}: {text_of(tmp('ps.out'))}")

    def log(self):
        return text_of(f"{self.images}/ps.log")

    def port(self):
        return int(self.log().split("listening on port ")[1].split()[0])

    def left(self):
        return sorted(n for n in os.listdir(self.images) if n != "ps.log")

    def end(self, code):
        got = exit_of(self.pid, 60)
        want(got == code, f"the server's exit status is {got}, not {code}: {last_lines(self.log(), 3)}")
        if code:
            want(not self.left(), f"an incomplete session left {self.left()}")
