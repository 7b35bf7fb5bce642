# SPDX-License-Identifier: GPL-2.0-only
"""What a copy that is complete waits for at the target."""
import contextlib
import os
import select
import shutil
import socket
import subprocess
import time

from .boot import BOOT
from .common import Failed

RETRIES, RETRY_PAUSE = 150, 2.0
HOLD, DECIDED, ABORTED, RUNS = "hold.sock", "decided", "aborted", "runs"


def start_holder(path, restore, gate):
    """A process that lets the copy wait for its decision, whatever becomes of this one. @restore: a pidfd."""
    if os.fork():
        gate.close()
        return
    try:
        os.setsid()
        with contextlib.suppress(OSError), open("/proc/self/comm", "w") as f:
            f.write("migrate-hold")
        keep = {2, restore, *gate.fds}
        for fd in {int(name) for name in os.listdir("/proc/self/fd")} - keep:
            with contextlib.suppress(OSError):  # that of the directory
                os.close(fd)
        hold(path, restore, gate)
    finally:
        os._exit(0)


def hold(path, restore, gate):
    """From when the tree is complete on, as long as there is a restore."""
    name = os.path.join(path, HOLD)
    if not gate.await_script(restore):
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name + ".new")
        listener.listen(1)
        os.rename(name + ".new", name)
        while not os.path.exists(os.path.join(path, ABORTED)) and not is_ready(restore, listener.fileno()):
            with listener.accept()[0] as peer:
                word = peer.makefile().readline().strip()
                if word in ("go", "abort"):
                    # First: one of the two is always there.
                    with open(os.path.join(path, DECIDED), "w"):
                        pass
                    os.unlink(name)
                    with contextlib.suppress(OSError):  # it counts, whoever has said it
                        peer.sendall(b"ok\n")
                    gate.answer(word)
                    return
    os.unlink(name)


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


def report_until_accepted(argv, times=RETRIES):
    for left in reversed(range(times)):
        if subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode == 0:
            return True
        time.sleep(RETRY_PAUSE if left else 0)
    return False
