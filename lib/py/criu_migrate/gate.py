# SPDX-License-Identifier: GPL-2.0-only
"""
An action script that says when it is there, and waits for an answer. It is a few lines of sh and two named pipes: the tree is
frozen meanwhile, and the start of an interpreter takes longer than all the rest.
"""
import contextlib
import os
import shlex

from .decision import is_ready

# Opened for both first, which never waits: so there is no answer, not even later, if nobody else has the pipe open.
SCRIPT = """#!/bin/sh
[ "$CRTOOLS_SCRIPT_ACTION" = {stage} ] || exit 0
exec 3<>{answer} 4<{answer} 3>&- 5<>{here} || exit 1
echo >&5
read -r word <&4 && [ "$word" = go ]
"""


class Gate:
    """Closed, or its last process killed, it says no."""

    def __init__(self, path, stage):
        self.path, self.reached = path, False
        here, answer = path + ".here", path + ".answer"
        for name in (here, answer):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            os.mkfifo(name, 0o600)
        with open(path, "w") as f:
            f.write(SCRIPT.format(stage=stage, here=shlex.quote(here), answer=shlex.quote(answer)))
        os.chmod(path, 0o700)
        self.fds = [os.open(name, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC) for name in (here, answer)]

    def await_script(self, pidfd):
        """False: the program that would start it has ended before."""
        self.reached = is_ready(self.fds[0], pidfd)
        return self.reached

    def answer(self, word):
        os.write(self.fds[1], word.encode() + b"\n")

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []
