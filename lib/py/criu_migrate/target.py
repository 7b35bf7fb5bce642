# SPDX-License-Identifier: GPL-2.0-only
"""The side that the tree comes to."""
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import PROTOCOL
from .boot import write_boot
from .channel import Channel
from .common import Failed, mib, reason
from .cpu import cpu_obstacles
from .criu_options import options_of, validates_by_size
from .decision import DECIDED, HOLD, remove, send_decision, start_holder, tree_runs, write_pid
from .elf import build_id
from .gate import Gate
from .lazy_target import LazyTarget


GO_TRIES = 3


def larger_pids(pids):
    try:
        with open("/proc/sys/kernel/pid_max") as f:
            most = int(f.read())
    except (OSError, ValueError):
        return []
    if max(pids, default=0) < most:
        return []
    return [f"pid {max(pids)} is larger than the target allows: there, sysctl kernel.pid_max={max(pids) + 1}"]


def most_available():
    """Everything that the kernel could free, in the best case: as criu/memory/available.c."""
    with open("/proc/meminfo") as f:
        sizes = {line.split(":")[0]: int(line.split()[1]) << 10 for line in f}

    def total(*names):
        return sum(sizes.get(name, 0) for name in names)
    cache = max(total("Cached", "Buffers", "SReclaimable") - total("Shmem"), total("Active(file)", "Inactive(file)", "SReclaimable"))
    return sizes["MemFree"] + total("SwapFree") + max(cache, 0)


def too_little_memory(needs):
    """As little as the restore would refuse it for, when the tree is frozen."""
    try:
        there = most_available()
    except (OSError, ValueError, KeyError, IndexError):
        return []
    return [f"the tree needs {mib(needs)} of memory, and the target has {mib(there)}"] if needs > there else []


class Target:
    def __init__(self, options):
        self.criu, self.program = options.criu, options.program
        self.dir = tempfile.mkdtemp(prefix="criu-migrate-", dir=options.dir)
        self.restore = self.asked = None
        self.went = False
        self.channel = Channel(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"))
        os.dup2(2, 1)  # what programs print is not part of the protocol
        self.decided = self.keep = self.heard = False

    def path(self, name):
        path = os.path.normpath(os.path.join(self.dir, name))
        if not path.startswith(self.dir + "/"):
            raise Failed(f"the name {name} leads elsewhere")
        return path

    def shown(self, options, found):
        """In the directory of the restore."""
        try:
            return options_of(self.criu, "restore", options, cwd="/") if shutil.which(self.criu) else []
        except Failed as e:
            found.append(f"at the target: {e}")
            return []

    def obstacles(self, q):
        found = []
        if os.geteuid():
            found.append("not root at the target")
        if q["machine"] != os.uname().machine:
            found.append(f"the target's CPU is {os.uname().machine}, not {q['machine']}")
        if not shutil.which(self.criu):
            found.append(f"{self.criu} is not installed at the target")
        elif subprocess.run([self.criu, "check"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
            found.append("`criu check` fails at the target: its kernel lacks something")
        found += [f"pid {pid} is in use at the target" for pid in q.get("pids", []) if os.path.exists(f"/proc/{pid}")]
        restore_options = self.shown(q["options"], found)
        if "cpu" in q:
            found += cpu_obstacles(self.criu, self.dir, q, restore_options)
        found += larger_pids(q.get("pids", [])) + too_little_memory(q.get("needs", 0))
        by_size = validates_by_size(restore_options)
        for name, size in q.get("files", {}).items():
            try:
                if os.stat(name).st_size != size:
                    found.append(f"{name} is another file at the target (--rsync {name} replaces it)")
                elif not by_size and q.get("build_ids", {}).get(name, build_id(name)) != build_id(name):
                    found.append(f"{name} is another build at the target (--rsync {name} replaces it)")
            except OSError as e:
                found.append(f"{name}: {e.strerror} at the target (--rsync {name} copies it)")
        stat = os.statvfs(self.dir)
        if stat.f_bavail * stat.f_frsize < q["memory"]:
            found.append(f"{self.dir} at the target has no {mib(q['memory'])} of space (--remote-dir)")
        return found

    def start_restore(self, number, options):
        """Returns when the tree is complete; it does not run."""
        self.asked = number, options
        gate = Gate(self.path("hook"), "pre-resume")
        self.restore = subprocess.Popen(
            [self.criu, "restore", *options, "-d", "-D", self.path(number), "-W", self.dir, "-o", "restore.log", "-v4",
             "--action-script", gate.path],
            stdin=subprocess.DEVNULL, start_new_session=True, cwd="/")
        write_pid(self.dir, self.restore.pid)
        pidfd = os.pidfd_open(self.restore.pid)
        start_holder(self.dir, pidfd, gate)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        while not os.path.exists(self.path(HOLD)):
            if poll.poll(2):
                self.restore.wait()
                raise Failed(f"restore: {reason(self.path('restore.log'))}")

    def restore_again(self):
        """What the other one has left may still be ending."""
        for left in reversed(range(20)):
            for name in (HOLD, HOLD + ".new", DECIDED, "restore.pid"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path(name))
            try:
                self.start_restore(*self.asked)
                return
            except Failed:
                if not left:
                    raise
                time.sleep(0.2)

    def decide(self, word):
        self.decided = True
        if word == "go":
            self.go()
        elif self.restore and self.restore.poll() is None:
            send_decision(self.dir, word)
            self.restore.wait()

    def go(self):
        """The tree does not run any more where it came from: if the restore has been killed meanwhile, there is another one."""
        self.keep = True
        for _ in range(GO_TRIES):
            if self.restore.poll() is None:
                with contextlib.suppress(OSError, Failed):
                    send_decision(self.dir, "go")
                self.restore.wait()
            if self.restore.returncode == 0 or tree_runs(self.dir):
                self.keep = False
                self.went = True
                return
            self.restore_again()
        raise Failed(f"restore: {reason(self.path('restore.log'))}; the images are in {self.dir}")

    def serve(self, message):
        if "hello" in message:
            if message["hello"] != PROTOCOL:
                raise Failed("the two versions of criu-migrate differ")
            write_boot(self.dir)
            return {"dir": self.dir}
        if "check" in message:
            return {"obstacles": self.obstacles(message["check"])}
        if "images" in message:
            os.mkdir(self.path(message["images"]))
            return None
        if "file" in message:
            self.channel.receive_file(self.path(message["file"]), message["size"])
            return None
        if "link" in message:
            os.symlink(message["to"], self.path(message["link"]))
            return None
        if "restore" in message:
            self.start_restore(message["restore"], message["options"])
        if "decide" in message:
            self.decide(message["decide"])
        self.heard |= "heard" in message
        return {}

    def run(self):
        failed = None
        while True:
            message = self.channel.receive()
            if message is None:
                return
            if "lazy" in message and not failed:
                self.channel.send({})
                LazyTarget(self, message["lazy"], message["options"]).run()
                return
            try:
                # After a failure, what was sent without waiting for an answer is skipped.
                answer = self.serve(message) if not failed else self.channel.skip(message.get("size", 0))
            except (Failed, OSError, KeyError) as e:
                failed, answer = str(e), None
            if any(word in message for word in ("hello", "check", "sync", "restore", "decide", "lazy")):
                self.answer({"error": failed} if failed else answer)

    def answer(self, message):
        try:
            self.channel.send(message)
        except OSError:
            # Nobody has learnt that the copy is complete: the tree continues at the source.
            if self.restore and not self.decided:
                self.decide("abort")
            raise

    def close(self):
        """A complete copy waits for its decision; everything else is removed."""
        if self.restore and not self.decided:
            waits = self.restore.poll() is None
            # Who tells the decision instead of us, or has told it, removes the rest. In this order: one of them is there.
            if (waits and os.path.exists(self.path(HOLD))) or os.path.exists(self.path(DECIDED)):
                return
            if waits:
                self.restore.terminate()
                self.restore.wait()
        if not self.keep:
            # The answer may not have been delivered, although it could be sent: then the decision comes again.
            remove(self.dir, self.went and not self.heard)


def receive(options):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    target = Target(options)
    try:
        target.run()
    finally:
        target.close()


