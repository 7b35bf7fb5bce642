# SPDX-License-Identifier: GPL-2.0-only
"""
The target of a lazy migration: the daemon of lazy pages, whose connection to the dump goes through ours, and the restore. The daemon
kills the tree if that connection ends before all pages are here.
"""
import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess
import time

from .boot import is_of_this_boot
from .common import Failed, reason
from .decision import ABORTED, RUNS, is_ready, remove, restore_pidfd, tree_runs, write_pid
from . import frames
from .frames import Link, Stream

MESSAGE, CLOSE = 32, 0x1023
ENDS, CONTINUES = struct.pack("<I", 0), struct.pack("<I", 1)    # answers to CLOSE: the source does
TICK = 500
LOCK = "lock"           # held by this process, the daemon, and the one that ends the tree if the daemon is killed
COMPLETE, ENDED, UNKNOWN = 0, 3, 1      # exit status of --outcome DIR


class LazyTarget:
    def __init__(self, target, number, options):
        self.target, self.images, self.options = target, target.path(number), options
        self.link = Link(target.channel)
        self.restore = self.restore_pidfd = None
        self.failed = []
        self.asked = bytearray()        # by the daemon
        self.held = self.forwarded = False      # its CLOSE
        self.stopping = self.restored = self.half_closed = False
        self.given = 0          # bytes, to the daemon
        self.status = self.daemon = self.daemon_pidfd = self.pages = None

    def start_daemon(self):
        ours, its = socket.socketpair()
        self.status, status = os.pipe()
        lock = os.open(self.target.path(LOCK), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)
        self.daemon = subprocess.Popen(
            [self.target.criu, "lazy-pages", "--page-server", "--ps-socket", str(its.fileno()), "--status-fd", str(status), "-D",
             self.images, "-W", self.target.dir, "-o", "lazy.log", "-v4"],
            stdin=subprocess.DEVNULL, start_new_session=True, cwd="/", pass_fds=(its.fileno(), status, lock))
        its.close()
        os.close(status)
        self.daemon_pidfd = os.pidfd_open(self.daemon.pid)
        self.pages = Stream(ours.detach())

    def start_restore(self):
        self.restore = subprocess.Popen(
            [self.target.criu, "restore", *self.options, "--lazy-pages", "-d", "-D", self.images, "-W", self.target.dir, "-o",
             "restore.log", "-v4"], stdin=subprocess.DEVNULL, start_new_session=True, cwd="/")
        write_pid(self.target.dir, self.restore.pid)
        self.restore_pidfd = os.pidfd_open(self.restore.pid)

    def stop(self, why):
        """Nothing runs here any more, unless the source may have let its tree go."""
        self.failed.append(why)
        if self.stopping:
            return
        self.stopping = True
        if self.forwarded:
            self.pages.write(ENDS)
        elif self.held:
            self.pages.write(CONTINUES)
        elif not self.pages.ended:
            self.half_close()

    def half_close(self):
        """If the daemon waits for nothing in the middle, it may be about to send its CLOSE, whose answer this must be, then: at
        an end alone it would let the tree run. Messages and pages are multiples of the size of a message."""
        if self.given % MESSAGE == 0:
            self.pages.write(CONTINUES)
        self.pages.unsent.clear()
        self.half_closed = True
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.pages.input)) as s:
            s.shutdown(socket.SHUT_WR)

    def from_daemon(self):
        self.asked += self.pages.read()
        while len(self.asked) >= MESSAGE:
            message = bytes(self.asked[:MESSAGE])
            del self.asked[:MESSAGE]
            if int.from_bytes(message[:2], "little") != CLOSE:
                self.link.send(frames.DATA, message)
            elif not self.stopping:
                self.held = message
                self.link.send(frames.PREPARE)
            else:
                # Again, by the one that ends the tree, as the daemon has been killed.
                self.held = message
                if not self.half_closed:
                    self.pages.write(ENDS if self.forwarded else CONTINUES)

    def from_source(self):
        for kind, data in self.link.frames():
            if kind == frames.DATA and not self.stopping:       # a failing write would look like the end of the daemon
                self.given += len(data)
                self.pages.write(data)
            elif kind == frames.PREPARED and self.held and not self.stopping:
                self.forwarded = True
                self.link.send(frames.DATA, self.held)
            elif kind == frames.END:
                if not self.stopping:
                    self.forwarded = False      # it came too late
                self.stop(data.decode(errors="replace"))

    def restore_ended(self):
        self.restored = self.restore.wait() == 0 or tree_runs(self.target.dir)
        os.close(self.restore_pidfd)
        self.restore_pidfd = None
        if self.restored:
            self.link.send(frames.RUNS)
        else:
            self.stop(f"restore: {reason(self.target.path('restore.log'))}")

    def daemon_ended(self):
        os.close(self.daemon_pidfd)
        self.daemon_pidfd = None
        if self.daemon.wait():
            self.stop(f"lazy pages: {reason(self.target.path('lazy.log'))}")

    def step(self):
        poll = select.poll()
        self.link.watch(poll)
        self.pages.watch(poll)
        for fd in (self.status, self.restore_pidfd, self.daemon_pidfd):
            if fd is not None:
                poll.register(fd, select.POLLIN)
        ready = frames.ready(poll, TICK)
        self.link.write()
        self.pages.write()
        if self.pages.input in ready:
            self.from_daemon()
        if self.link.input in ready or self.link.received:
            self.from_source()
        if self.status in ready:
            # It is ready, or has ended.
            if os.read(self.status, 1) and not self.stopping:
                self.start_restore()
            os.close(self.status)
            self.status = None
        if self.restore_pidfd in ready:
            self.restore_ended()
        if self.daemon_pidfd in ready:
            self.daemon_ended()
        if not self.stopping and (self.link.is_lost() or os.path.exists(self.target.path(ABORTED))):
            self.stop("the connection has ended")

    def run(self):
        """The target's directory is removed when nobody needs to know any more what has become of the tree."""
        self.target.keep = True
        self.start_daemon()
        while self.daemon_pidfd is not None or self.restore_pidfd is not None or not self.pages.ended:
            self.step()
        if not self.tree_stays():
            remove(self.target.dir, False)
            self.link.send(frames.END, "; ".join(self.failed).encode())
            return
        with open(self.target.path(RUNS), "w"):
            pass            # before anything else is removed
        remove(self.target.dir, True)
        self.link.send(frames.COMPLETE)
        if self.await_bye():
            remove(self.target.dir, False)

    def tree_stays(self):
        """If the source may have let its tree go, the end of the daemon does not matter: this one has got everything."""
        if self.forwarded:
            return is_complete(self.target.dir)
        return self.restored and not self.daemon.returncode

    def await_bye(self):
        while not self.link.is_lost():
            poll = select.poll()
            self.link.watch(poll)
            poll.poll(TICK)
            self.link.write()
            if any(kind == frames.BYE for kind, _ in self.link.frames()):
                return True
        return False


def says_all_pages_are_here(path):
    with contextlib.suppress(OSError), open(os.path.join(path, "lazy.log"), errors="replace") as f:
        text = f.read()
        return "all of them are here" in text and "the restored tree is ended" not in text
    return False


def is_complete(path):
    with contextlib.suppress(OSError):
        return says_all_pages_are_here(path) and tree_runs(path)
    return False


def await_lock(path):
    """Of all that may still let the tree run, or end it. False: not yet."""
    with open(os.path.join(path, LOCK)) as lock:
        for _ in range(150):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(0.1)
    return False


def outcome(path):
    """Whether the tree runs here, for a source that has lost the connection: what is incomplete is ended."""
    if not os.path.isdir(path):
        return ENDED
    if not is_of_this_boot(path):
        remove(path, False)
        return ENDED
    if os.path.exists(os.path.join(path, RUNS)):
        return COMPLETE
    with contextlib.suppress(OSError), open(os.path.join(path, ABORTED), "w"):
        pass
    try:
        if not await_lock(path):
            return UNKNOWN
        is_ready(restore_pidfd(path))
    except (FileNotFoundError, ProcessLookupError, Failed):
        pass
    # The process that has received the images may have cleaned up meanwhile.
    if not os.path.isdir(path):
        return ENDED
    if os.path.exists(os.path.join(path, RUNS)):
        return COMPLETE
    complete = is_complete(path)
    remove(path, complete)
    return COMPLETE if complete else ENDED
