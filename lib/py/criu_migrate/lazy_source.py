# SPDX-License-Identifier: GPL-2.0-only
"""
The source of a lazy migration. The dump keeps the tree stopped, and serves pages over a socket that leads to us; when it ends, the
tree continues, unless the dump has got a CLOSE, which says that the target has all pages. We pass on what comes, and close that
socket only when it is certain that nothing runs at the target.
"""
import os
import select
import signal
import socket
import struct
import subprocess
import time

from .common import INTERRUPTS, Failed, Interrupts, mib, reason, say
from .decision import is_ready
from .lazy_target import COMPLETE, ENDED, ENDS
from . import frames
from .frames import Link, Stream

CLOSE = struct.pack("<HHIQQQ", 0x1023, 0, 0, 0, 0, 0)
UNSENT_MAX = 4 << 20
ALONE = 2 * frames.SILENCE      # s: without a connection for so long, the target has ended what was not complete
ASK_PAUSE, ASK_LIMIT = 2, 20    # s


def hang_up(sock):
    """For all that have a copy of it."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


class Judge:
    """What has become of the tree at the target, if the connection is lost."""

    def __init__(self, source, dump_pidfd, pages):
        self.remote, self.host, self.there = source.remote, source.o.host, source.there
        self.dump_pidfd, self.pages = dump_pidfd, pages
        self.prepared = self.settling = self.told = self.interrupted = False

    def interrupt(self, _number=None, _frame=None):
        """If the copy may have become complete, only one counts that comes from somebody who knows that."""
        self.interrupted = self.interrupted or (self.settling and (self.told or not self.prepared))

    def ask(self):
        try:
            return subprocess.run(self.remote("--outcome", self.there), stdin=subprocess.DEVNULL, timeout=ASK_LIMIT, check=False).returncode
        except subprocess.TimeoutExpired:
            return None

    def dump_has_ended(self, seconds):
        poll = select.poll()
        poll.register(self.dump_pidfd, select.POLLIN)
        return bool(poll.poll(int(seconds * 1000)))

    def settle(self):
        """Asks until there is an answer; the tree stays stopped here meanwhile."""
        # The terminal may be lost with the connection.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.settling = True
        lost = time.monotonic()
        while True:
            answer = self.ask()
            if answer == COMPLETE:
                # The dump may have got its CLOSE before.
                os.set_blocking(self.pages.fileno(), True)
                try:
                    self.pages.sendall(CLOSE)
                    self.pages.recv(4)
                except OSError:
                    pass
                break
            alone = time.monotonic() - lost > ALONE
            if answer == ENDED or self.interrupted or (alone and not self.prepared):
                break
            if alone and not self.told:
                say(f"the copy at {self.host} may have got everything, or nothing runs there. It is asked again and again; if it does not "
                    f"run, and never will, end me (kill {os.getpid()}), and the tree continues here")
                self.told = True
            if self.dump_has_ended(ASK_PAUSE):
                break
        hang_up(self.pages)
        is_ready(self.dump_pidfd)


class Mover:
    def __init__(self, source):
        self.source, self.number, self.start = source, source.rounds + 1, time.monotonic()
        self.pages, its = socket.socketpair()
        self.interrupts = Interrupts()
        self.dump, self.pidfd, self.gate = source.start_dump(self.number, "--lazy-pages", "--ps-socket", str(its.fileno()),
                                                             fds=(its.fileno(),))
        its.close()
        self.judge = Judge(source, self.pidfd, self.pages)
        self.referee = self.link = self.stream = None
        self.failed = self.downtime = None
        self.complete = self.closed = self.sent_end = False
        self.hidden = 0

    def start_referee(self):
        """A process that does the rest if this one is killed."""
        mine, its = socket.socketpair()
        if os.fork():
            its.close()
            self.referee = mine
            return
        try:
            os.setsid()
            self.gate.close()
            for each in (mine, self.source.peer.stdin, self.source.peer.stdout):
                os.close(each.fileno())
            for number in INTERRUPTS:
                signal.signal(number, self.judge.interrupt)
            while (word := its.recv(1)) == b"p":
                self.judge.prepared = True
            if not word:
                self.judge.settle()
        finally:
            os._exit(0)

    def interrupt_dump(self, number, _frame):
        self.judge.interrupt()
        # Its CLOSE may be under way, or lost: what has become of the copy is found out first.
        if self.judge.prepared or self.judge.settling:
            return
        self.failed = self.failed or f"interrupted by {signal.Signals(number).name}"
        if self.dump.poll() is None:
            self.dump.terminate()

    def begin(self):
        try:
            self.interrupts.let_through()
            if not self.gate.await_script(self.pidfd):
                self.dump.wait()
                raise Failed(f"dump: {self.reason()}")
            size = self.source.send_images(self.number)
            say(f"{mib(size)}; the rest follows")
            self.start_referee()
            self.source.channel.ask({"lazy": str(self.number), "options": self.source.all_restore_options()})
            for number in INTERRUPTS:
                signal.signal(number, self.interrupt_dump)
            self.link = Link(self.source.channel)
            self.stream = Stream(self.pages.fileno())
            self.gate.answer("go")
        except BaseException:
            self.gate.close()       # the dump fails, and the tree continues
            if not self.gate.reached and self.dump.poll() is None:
                self.dump.terminate()
            hang_up(self.pages)
            self.dump.wait()
            self.release_referee()
            raise

    def release_referee(self):
        if self.referee:
            self.notify_referee(b"x")
            self.referee.close()

    def notify_referee(self, word):
        try:
            self.referee.send(word)
        except OSError:
            pass

    def reason(self):
        return reason(self.source.images(self.number) + "/dump.log")

    def from_dump(self):
        data = self.stream.read()
        self.hidden += len(data)
        if data:
            self.link.send(frames.DATA, data)
        elif self.stream.ended and not self.closed:
            self.end("the dump has ended")

    def end(self, why):
        if not self.sent_end:
            self.sent_end = True
            self.link.send(frames.END, why.encode())

    def to_dump(self, data):
        if data[:2] == CLOSE[:2]:
            if self.sent_end:
                return          # the copy is being ended
            self.closed = True
        self.stream.write(data)

    def dump_failed(self):
        """It may have been killed before it read its CLOSE, or when it had ended the tree."""
        if self.closed and not self.source.tree.goes_on():
            self.link.send(frames.DATA, ENDS)
        else:
            self.end(f"dump: {self.reason()}")

    def from_target(self):
        for kind, data in self.link.frames():
            if kind == frames.DATA:
                self.to_dump(data)
            elif kind == frames.PREPARE:
                self.prepare()
            elif kind == frames.RUNS:
                self.downtime = time.monotonic() - self.start
                say(f"the tree runs at {self.source.o.host}, after {self.downtime:.3f} s")
            elif kind == frames.END:
                self.failed = self.failed or data.decode(errors="replace")
                hang_up(self.pages)
                self.stream = None
                return
            elif kind == frames.COMPLETE:
                self.complete = True
                if self.stream and not self.closed:
                    self.closed = True
                    self.stream.write(CLOSE)    # that of the copy has been lost
                self.link.send(frames.BYE)

    def prepare(self):
        self.judge.prepared = True      # before the question: an interrupt may come in between
        if self.failed:
            self.judge.prepared = False     # the dump has been told to end
            return
        self.notify_referee(b"p")
        self.link.send(frames.PREPARED)

    def step(self):
        poll = select.poll()
        self.link.watch(poll)
        if self.stream:
            self.stream.watch(poll, reads=len(self.link.unsent) < UNSENT_MAX)
        if self.dump.returncode is None:
            poll.register(self.pidfd, select.POLLIN)
        ready = frames.ready(poll, 500)
        self.link.write()
        if self.stream:
            self.stream.write()
            if self.stream.input in ready:
                self.from_dump()
        if self.link.input in ready or self.link.received:
            self.from_target()
        if self.pidfd in ready and self.dump.returncode is None:
            self.dump.wait()
            if self.dump.returncode:
                self.dump_failed()

    def move(self):
        """Ends when both sides have said how it has ended."""
        while not (self.dump.returncode is not None and (self.complete or not self.stream)):
            self.step()
            if self.link.is_lost() and not self.complete and self.stream:
                say(f"{self.source.o.host}: the connection has ended")
                self.failed = self.failed or "the connection has ended"
                self.judge.settle()
                break
        self.link.write()
        self.dump.wait()

    def finish(self):
        for number in INTERRUPTS:
            signal.signal(number, signal.SIG_IGN)   # an interpreter that ends would let them kill it: the exit status counts
        moved = not self.source.tree.goes_on()
        self.release_referee()
        self.gate.close()
        if not moved:
            raise Failed(f"the tree continues here: {self.failed or self.reason()}")
        self.source.sent += self.hidden
        say(f"{mib(self.hidden)} of memory afterwards, {mib(self.source.sent)} in all, {time.monotonic() - self.start:.3f} s" +
            (f"; downtime {self.downtime:.3f} s" if self.downtime else ""))


def move_lazily(source):
    mover = Mover(source)
    mover.begin()
    mover.move()
    mover.finish()
