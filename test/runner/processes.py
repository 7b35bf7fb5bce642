# SPDX-License-Identifier: GPL-2.0-only
"""Processes below a runner that is pid 1 of its pid namespace: start them, wait, reap, look them up in /proc."""
import glob
import os
import signal
import time

from .edited import forget_checksums


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


statuses = {}
# How many times as long as usual to wait for anything: a machine that is emulated is slow.
PATIENCE = 1


def reap():
    """Reaps all zombies, orphans included. Do not use subprocess in here: its waits would race with this."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        statuses[pid] = status


def start(argv, out, cwd="/", session=True, env=None):
    forget_checksums(argv, cwd)
    pid = os.fork()
    if pid:
        statuses.pop(pid, None)     # left from an earlier process with this pid: restored tasks reuse pids soon
        return pid
    try:
        if session:
            os.setsid()
        os.chdir(cwd)
        for fd, path, flags in ((0, "/dev/null", os.O_RDONLY), (1, out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)):
            new = os.open(path, flags, 0o666)
            os.dup2(new, fd)
            if new != fd:
                os.close(new)
        os.dup2(1, 2)
        os.closerange(3, 256)
        for sig in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(sig, signal.SIG_DFL)
        os.execve(argv[0], argv, dict(os.environ if env is None else env))
    finally:
        os._exit(127)


def wait_for(cond, what, seconds=50):
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    pause = 0.001
    while True:
        reap()
        got = cond()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def command(argv, out, seconds=50):
    """Runs a command until it exits -> its status (exit status, or -signal), and its output."""
    offset = os.path.getsize(out) if os.path.exists(out) else 0
    pid = start(argv, out)
    wait_for(lambda: pid in statuses, " ".join(argv[:2]), seconds)
    with open(out, "rb") as f:
        f.seek(offset)
        text = f.read().decode(errors="replace")
    return os.waitstatus_to_exitcode(statuses.pop(pid)), text


def text_of(path, binary=False):
    try:
        with open(path, "rb") as f:
            data = f.read()
        return data if binary else data.decode(errors="replace")
    except OSError as e:
        return f"<{e.strerror}>"


def link_of(path):
    try:
        return os.readlink(path)
    except OSError as e:
        return f"<{e.strerror}>"


def live_pids():
    return {int(n) for n in os.listdir("/proc") if n.isdigit()}


def tree_of(root):
    pids, todo = [], [root]
    while todo:
        pid = todo.pop(0)
        pids.append(pid)
        for task in glob.glob(f"/proc/{pid}/task/*/children"):
            text = text_of(task)
            todo += [int(n) for n in text.split()] if not text.startswith("<") else []
    return sorted(pids)


def last_lines(text, count):
    return " | ".join(text.strip().splitlines()[-count:])
