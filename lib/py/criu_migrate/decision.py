# SPDX-License-Identifier: GPL-2.0-only
"""The action scripts at both sides, and what they wait for."""
import contextlib
import os
import select
import shlex
import shutil
import socket
import subprocess
import sys
import time

from .boot import BOOT
from .common import Failed

RETRIES, RETRY_PAUSE = 150, 2.0
HOLD, DECIDED, ABORTED, RUNS = "hold.sock", "decided", "aborted", "runs"


def write_script(path, program, stage, *argv):
    command = shlex.join([sys.executable, program, *argv])
    with open(path, "w") as f:
        f.write(f'#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" = {stage} ] || exit 0\nexec {command}\n')
    os.chmod(path, 0o700)


def ask(path):
    """At the source, while the tree is frozen: 0 when its copy is complete."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        return 0 if s.makefile().readline() == "go\n" else 1


def hold(path):
    """At the target, when the tree is complete: waits for the decision, as long as there is a restore."""
    name = os.path.join(path, HOLD)
    try:
        ended = restore_pidfd(path)
    except (Failed, ProcessLookupError):
        return 1
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name + ".new")
        listener.listen(1)
        os.rename(name + ".new", name)
        while not os.path.exists(os.path.join(path, ABORTED)) and not is_ready(ended, listener.fileno()):
            with listener.accept()[0] as peer:
                word = peer.makefile().readline().strip()
                if word in ("go", "abort"):
                    # First: one of the two is always there.
                    with open(os.path.join(path, DECIDED), "w"):
                        pass
                    os.unlink(name)
                    with contextlib.suppress(OSError):  # it counts, whoever has said it
                        peer.sendall(b"ok\n")
                    return 0 if word == "go" else 1
    os.unlink(name)
    return 1


def write_pid(path, pid):
    with open(os.path.join(path, "restore.new"), "w") as f:
        f.write(str(pid))
    os.rename(os.path.join(path, "restore.new"), os.path.join(path, "restore.pid"))


def restore_pidfd(path):
    """Of the restore, whose pid its parent notes as soon as it has started it. getppid() would be too late if it was killed."""
    for _ in range(500):
        try:
            with open(os.path.join(path, "restore.pid")) as f:
                return os.pidfd_open(int(f.read()))
        except FileNotFoundError:
            time.sleep(0.01)
    raise Failed("there is no restore")


def is_ready(fd, *others):
    """Waits for any of them."""
    poll = select.poll()
    for each in (fd, *others):
        poll.register(each, select.POLLIN)
    return fd in (ready for ready, _ in poll.poll())


def send_decision(path, word):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.path.join(path, HOLD))
        s.sendall(word.encode() + b"\n")
        if s.makefile().readline() != "ok\n":
            raise Failed("no answer")


def tell(path, word):
    """By the operator, or when the process that has received the images is gone."""
    if os.path.exists(os.path.join(path, RUNS)) and word == "go":
        return
    if word == "abort":
        # The restore may not have come so far yet.
        with contextlib.suppress(OSError), open(os.path.join(path, ABORTED), "w"):
            pass
    if word == "abort" and not os.path.exists(os.path.join(path, HOLD)):
        return
    try:
        restore = restore_pidfd(path)
        # The one who has received the images may have told it, and may have been killed since.
        if not os.path.exists(os.path.join(path, DECIDED)):
            send_decision(path, word)
        is_ready(restore)
    except ProcessLookupError:
        pass    # the restore has ended
    if word == "go" and not tree_runs(path):
        raise Failed(f"the restore has failed: {path}/restore.log; the images are in {path}")
    remove(path, word == "go")


def tree_runs(path):
    """A restore that is killed after this line leaves a tree that runs."""
    with open(os.path.join(path, "restore.log"), errors="replace") as f:
        return "the tree is complete" in f.read()


def remove(path, runs):
    """What says that the copy runs, and since when, stays, for a decision that is sent again."""
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name not in (RUNS, BOOT):
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
    if runs:
        with open(os.path.join(path, RUNS), "w"):
            pass
    else:
        shutil.rmtree(path, ignore_errors=True)


def tell_again(argv, times=RETRIES):
    for left in reversed(range(times)):
        if subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode == 0:
            return True
        time.sleep(RETRY_PAUSE if left else 0)
    return False
