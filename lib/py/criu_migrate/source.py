# SPDX-License-Identifier: GPL-2.0-only
"""The side that the tree leaves."""
import contextlib
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import PROTOCOL
from .channel import Channel
from .common import INTERRUPTS, Failed, Interrupts, Lost, mib, reason, say
from .decision import is_ready, report_until_accepted
from .cpu import cpu_question
from .criu_options import last, options_of, validates_by_size
from .elf import build_id
from .gate import Gate
from .lazy_source import move_lazily
from .network import locks, remove_locks
from .tree import Tree, may_run

PAGES_ENOUGH = 8 << 20  # another round costs more than it saves
SHRINKS = 0.8           # a round that leaves more than this part of the last one is the last
ROUNDS_MAX = 8
ENDING_LOOK = 2         # ms


class Source:
    def __init__(self, options):
        self.o = options
        self.tree = Tree(options.pid)
        self.work = tempfile.mkdtemp(prefix="criu-migrate-", dir=options.dir)
        self.channel = self.peer = self.there = None
        self.dump_shown = []    # the options of the dump, as criu shows them
        self.rounds = 0
        self.sent = 0
        self.keep = False

    def remote(self, *argv):
        return [*shlex.split(self.o.rsh), self.o.host, shlex.join([self.o.remote_program, *argv])]

    def connect(self):
        argv = self.remote("--receive", "--criu", self.o.remote_criu, "--dir", self.o.remote_dir)
        # A session of its own: an interrupt from the terminal is for this program alone.
        self.peer = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.channel = Channel(self.peer.stdout, self.peer.stdin)
        try:
            answer = self.channel.ask({"hello": PROTOCOL})
        except (Failed, OSError, ValueError) as e:
            raise Failed(f"{self.o.host}: {self.o.remote_program} does not answer: {e}") from e
        self.there = answer["dir"]

    def is_copied(self, name):
        """By --rsync, before its images arrive."""
        tops = [os.path.realpath(path) for path in self.o.rsync]
        return any(os.path.commonpath((top, name)) == top for top in tops)

    def about_files(self, names):
        by_size = validates_by_size(self.dump_shown)
        return {"files": names, "build_ids": {name: found for name in names if not by_size and (found := build_id(name))}}

    def check(self):
        """Everything that is known to be missing, before anything is frozen or copied. Returns the files to ask for after that."""
        question = {"memory": 0 if self.o.lazy else self.tree.memory(), "machine": os.uname().machine, "needs": self.tree.needs(),
                    "options": self.all_restore_options()}
        copied = {}
        self.dump_shown = options_of(self.o.criu, "dump", [*self.both_options(), *self.o.dump_option])
        question |= cpu_question(self.o.criu, self.work, self.dump_shown)
        if self.tree.shares("pid"):
            question["pids"] = self.tree.tids()
        if self.tree.shares("mnt"):
            files = self.tree.files()
            copied = {name: size for name, size in files.items() if self.is_copied(name)}
            question |= self.about_files({name: size for name, size in files.items() if name not in copied})
        obstacles = self.channel.ask({"check": question})["obstacles"] + self.left_here()
        done = subprocess.run([self.o.criu, "check", "-t", str(self.o.pid), *self.both_options(), *self.o.dump_option],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
            obstacles += [line for line in lines if line.startswith("pid ") or "Error" in line] or \
                [f"criu check -t {self.o.pid} fails: {' '.join(lines[-1:])}"]
        refuse(obstacles)
        return copied

    def left_here(self):
        """Options of the dump by which two copies would run."""
        return [f"{name} is set (--dump-option, or a configuration file of criu): a tree that moves cannot remain here"
                for name in ("leave-running", "leave-stopped") if last(self.dump_shown, name) is not None]

    def copy(self, mapped):
        """What --rsync names; of it, @mapped must be the same then."""
        for path in self.o.rsync:
            # Two builds of a program may have the same size and time; to read all of a directory would take too long.
            how = "-aRc" if os.path.isfile(path) else "-aR"
            if subprocess.run(["rsync", how, "-e", self.o.rsh, path, f"{self.o.host}:/"], check=False).returncode:
                raise Failed(f"rsync {path} failed")
        if mapped:
            question = {"memory": 0, "machine": os.uname().machine, "options": self.all_restore_options(), **self.about_files(mapped)}
            refuse(self.channel.ask({"check": question})["obstacles"])

    def both_options(self):
        return [f"--{name.replace('_', '-')}" for name in ("shell_job", "tcp_established", "file_locks")
                if getattr(self.o, name)]

    def images(self, number):
        return os.path.join(self.work, str(number))

    def dump_options(self, number):
        argv = ["-t", str(self.o.pid), "-D", self.images(number), "-o", "dump.log", "-v3"]
        if self.o.pre_copy:
            argv.append("--track-mem")
        if number > 1:
            argv += ["--prev-images-dir", f"../{number - 1}"]
        if self.o.compress:
            argv.append("--compress")
        return argv

    def send_images(self, number):
        """Returns how much it was. An error at the target is in the next answer."""
        size = 0
        self.channel.send({"images": str(number)})
        for entry in sorted(os.scandir(self.images(number)), key=lambda e: e.name):
            if entry.is_symlink():
                self.channel.send({"link": f"{number}/{entry.name}", "to": os.readlink(entry.path)})
            elif entry.is_file() and not entry.name.endswith((".log", ".sock")):
                size += entry.stat().st_size
                self.channel.send_file(f"{number}/{entry.name}", entry.path)
        self.sent += size
        return size

    def pre_copy(self):
        """Until the rest does not become smaller any more."""
        limit = ROUNDS_MAX if self.o.pre_copy == "auto" else int(self.o.pre_copy)
        last = None
        while self.rounds < limit:
            self.rounds += 1
            os.mkdir(self.images(self.rounds))
            done = subprocess.run([self.o.criu, "pre-dump", *self.dump_options(self.rounds)], check=False)
            if done.returncode:
                raise Failed(f"pre-dump: {reason(self.images(self.rounds) + '/dump.log')}")
            start = time.monotonic()
            size = self.send_images(self.rounds)
            self.channel.ask({"sync": True})
            rate = size / max(time.monotonic() - start, 1e-6)
            say(f"round {self.rounds}: {mib(size)} at {mib(rate)}/s; the same again would take {size / rate:.2f} s of downtime")
            if self.o.pre_copy == "auto" and (size < PAGES_ENOUGH or (last and size > last * SHRINKS)):
                break
            last = size

    def start_dump(self, number, *options, fds=()):
        os.mkdir(self.images(number))
        gate = Gate(os.path.join(self.work, "hook"), "post-dump")
        dump = subprocess.Popen([self.o.criu, "dump", *self.dump_options(number), *self.both_options(), *options,
                                 *self.o.dump_option, "--action-script", gate.path], start_new_session=True, pass_fds=fds)
        return dump, os.pidfd_open(dump.pid), gate

    def change_over(self):
        number, start = self.rounds + 1, time.monotonic()
        interrupts = Interrupts()
        dump, pidfd, gate = self.start_dump(number)
        referee = None
        try:
            interrupts.let_through()
            if not gate.await_script(pidfd):
                dump.wait()
                raise Failed(f"dump: {reason(self.images(number) + '/dump.log')}")
            pids = self.tree.frozen_pids()
            size = self.send_images(number)
            referee = self.referee(pidfd, gate)
            self.channel.ask({"restore": str(number), "options": self.all_restore_options()})
            for interrupt in INTERRUPTS:
                signal.signal(interrupt, signal.SIG_IGN)
        except BaseException:
            gate.close()        # the dump fails, and the tree continues
            if not gate.reached and dump.poll() is None:
                dump.terminate()
            dump.wait()
            if referee:
                self.give_up()
                referee.close()
            raise
        gate.answer("go")
        gate.close()
        # The exit status does not say whether the dump has killed its tree.
        ended = self.await_end(pidfd, pids)
        code = 0 if ended else dump.wait()
        gone = self.keep = ended or not self.tree.goes_on()
        try:
            self.decide("go" if gone else "abort")
        finally:
            referee.close()
            dump.wait()
        self.keep = False
        if not gone and not code:
            raise Failed("the dump has not killed the tree, which is still here")
        if not gone:
            raise Failed(f"the dump failed, the tree continues here: {reason(self.images(number) + '/dump.log')}")
        say(f"{mib(size)}; downtime {time.monotonic() - start:.3f} s, {mib(self.sent)} in all")

    def await_end(self, dump_pidfd, pids):
        """Of the tree or of its dump. True: nothing of it will run again, even if the kernel is still freeing its memory."""
        poll = select.poll()
        poll.register(dump_pidfd, select.POLLIN)
        while not (ending := bool(pids) and not any(map(may_run, pids))) and not poll.poll(ENDING_LOOK):
            pass
        return ending

    def give_up(self):
        """The copy may be complete although its answer has not arrived."""
        try:
            self.channel.send({"decide": "abort"})
            if self.channel.receive():
                return
        except (OSError, ValueError):
            pass
        if not report_until_accepted(self.remote("--tell", self.there, "abort"), 5):
            say(f"if there is a copy at {self.o.host}, it waits for: criu-migrate --tell {self.there} abort")

    def all_restore_options(self):
        return [*(option for option in self.both_options() if option != "--file-locks"), *self.o.restore_option]

    def decide(self, word):
        try:
            self.channel.ask({"decide": word})
            with contextlib.suppress(OSError):
                self.channel.send({"heard": word})
            return
        except (Lost, OSError, ValueError) as e:
            say(f"{self.o.host}: {e}; trying again")
        except Failed as e:
            raise Failed(f"{e}, and in {self.work}" if self.keep else str(e)) from e
        if not report_until_accepted(self.remote("--tell", self.there, word)):
            raise Failed(f"the copy at {self.o.host} waits for: criu-migrate --tell {self.there} {word}" +
                         (f"; its images are in {self.work}, too" if self.keep else ""))

    def referee(self, dump_pidfd, gate):
        """A process that tells the target what has happened if this one is killed. Ends when the socket is written to. It is
        there before the target is asked to restore: a connection may take the answer, and not deliver it."""
        mine, its = socket.socketpair()
        if os.fork():
            its.close()
            return Referee(mine)
        try:
            os.setsid()
            gate.close()
            for each in (mine, self.peer.stdin, self.peer.stdout):
                os.close(each.fileno())
            if its.recv(1) == b"":
                is_ready(dump_pidfd)
                report_until_accepted(self.remote("--tell", self.there, "abort" if self.tree.goes_on() else "go"))
        finally:
            os._exit(0)

    def close(self):
        if self.peer:
            try:
                self.peer.stdin.close()
            except OSError:
                pass
            try:
                self.peer.wait(10)
            except subprocess.TimeoutExpired:
                self.peer.kill()
        if not self.keep:
            shutil.rmtree(self.work, ignore_errors=True)


class Referee:
    def __init__(self, sock):
        self.sock = sock

    def close(self):
        try:
            self.sock.send(b"x")
        except OSError:
            pass
        self.sock.close()


def refuse(obstacles):
    if obstacles:
        raise Failed("\n  ".join(["the tree cannot be moved:", *obstacles]))


def migrate(options):
    source = Source(options)

    def end(number, _frame):
        raise Failed(f"interrupted by {signal.Signals(number).name}; the tree continues here")
    for number in INTERRUPTS:
        signal.signal(number, end)
    try:
        source.connect()
        source.copy(source.check())
        if options.pre_copy:
            source.pre_copy()
        before = locks(options.pid) if options.tcp_established else set()
        if options.lazy:
            move_lazily(source)
        else:
            source.change_over()
        if options.tcp_established:
            remove_locks(locks(options.pid) - before)
    finally:
        source.close()
