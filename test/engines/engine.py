# SPDX-License-Identifier: GPL-2.0-only
"""Container engines under test: a root directory with the guest (guest.c), and what it reports."""
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import socket
import sys
import tarfile
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/../apps")
from tools import *  # noqa: E402,F403
from tools import BUILD, CRIU, Failed, TMP, criu, end_all, finish, ok, put, run, sh, text_of, tmp, wait_for, want  # noqa: E402

# Groups are global: two tests that run at once must not have the same, or one removes those of the other.
GROUP = f"criu-test-{''.join(c for c in TMP if c.isalnum())[-60:]}"
GUEST = f"{BUILD}/test/engines/guest"
PORT = 7000


def prepare():
    """For the engine: our criu as `criu`, and a /run of its own."""
    os.mkdir(tmp("bin"))
    os.symlink(CRIU, tmp("bin/criu"))
    os.environ["PATH"] = f"{TMP}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ["LD_LIBRARY_PATH"] = BUILD
    for place in ("/run", "/dev/shm"):
        sh(["mount", "-t", "tmpfs", "tmpfs", place])
    os.mkdir("/run/lock")


def options_for_runc(text):
    """For engines that pass none on: runc has criu read this file, in an /etc that only this test sees."""
    if not os.path.isdir(tmp("etc")):
        os.mkdir(tmp("etc"))
        sh(["mount", "-t", "tmpfs", "tmpfs", tmp("etc")])
        for name in ("etc/up", "etc/work"):
            os.makedirs(tmp(name))
        sh(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/etc,upperdir={tmp('etc/up')},workdir={tmp('etc/work')}", "/etc"])
        os.makedirs("/etc/criu", exist_ok=True)
    with open("/etc/criu/runc.conf", "w", encoding="utf-8") as f:
        f.write(text)


def make_root(path):
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "root", "run", "var"):
        os.makedirs(f"{path}/{name}")
    shutil.copy(GUEST, f"{path}/bin/guest")
    return path


def archive(root, path, name):
    """An image with one layer, as `docker save` writes it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(root, arcname=".")
    sha = hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha}"]}})
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}])
    with tarfile.open(path, "w") as tar:
        for member, data in (("config.json", config.encode()), ("manifest.json", manifest.encode()), ("layer.tar", layer.getvalue())):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


class Guest:
    """The guest of one container, seen through its root directory (or a function that reads its report)."""

    def __init__(self, root):
        self.report = lambda: text_of(f"{root}/tmp/report")

    def number(self):
        text = self.report()
        found = re.fullmatch(r"(\d+) ok\n", text)
        want(found, f"the guest reports {text!r}")
        return int(found[1])

    def begins(self):
        """It may have got further before we look."""
        wait_for(lambda: re.match(r"\d+ ", self.report()) and self.number() >= 3, "the third report of the guest", 60)

    def goes_on(self, after=None, how_far=5):
        """It counts on from @after, not from the beginning."""
        first = self.number() if after is None else after
        wait_for(lambda: self.number() >= first + how_far, "reports of the guest", 60)
        want(self.number() < first + 1000, f"the guest is at {self.number()} after {first}")

    def stays_still(self):
        first = self.report()
        time.sleep(0.3)
        want(first == self.report(), "the guest still runs")


class Client:
    """A TCP client of the guest."""

    def __init__(self, address):
        self.socket = socket.create_connection((address, PORT), 60)
        self.socket.settimeout(60)
        self.said = 0

    def talk(self):
        self.said += 1
        self.socket.sendall(b"line %d\n" % self.said)
        got = self.socket.recv(1000)
        want(re.fullmatch(rb"\d+ line %d\n" % self.said, got), f"the guest answered {got!r} to line {self.said}")


def case(fn, *args):
    try:
        fn(*args)
        ok(fn.__name__.replace("_", " "), True)
    except (Failed, OSError, ValueError, IndexError) as e:
        ok(fn.__name__.replace("_", " "), False, f"{e!r}"[:2000])
        end_all()


def hierarchies():
    for line in text_of("/proc/self/mountinfo").splitlines():
        fields, _, more = line.partition(" - ")
        if more.split()[0] in ("cgroup", "cgroup2"):
            yield fields.split()[4]


def groups_of_engine(name):
    """The groups @name that are there already, so that remove_groups() leaves them."""
    return {f"{top}/{name}" for top in hierarchies() if os.path.isdir(f"{top}/{name}")}


class SharedGroups:
    """Groups whose name an engine chooses, so that tests share them: the first one notes which were there before, the last one removes
    the others."""
    NAMES = ("lxc.pivot", "lxc.monitor.box", "lxc.payload.box", "libpod_parent", "default")

    def __init__(self):
        self.file = open(f"{BUILD}/.engine-groups", "a+", encoding="utf-8")    # held until the end
        if self.lock(fcntl.LOCK_EX | fcntl.LOCK_NB):
            self.file.truncate(0)
            self.file.write("\n".join(sorted(set().union(*map(groups_of_engine, self.NAMES)))))
            self.file.flush()
        self.lock(fcntl.LOCK_SH)

    def lock(self, how):
        try:
            fcntl.flock(self.file, how)
        except BlockingIOError:
            return False
        return True

    def remove(self):
        if self.lock(fcntl.LOCK_EX | fcntl.LOCK_NB):
            self.file.seek(0)
            before = self.file.read().split("\n")
            for name in self.NAMES:
                remove_groups(name, before)


def remove_groups(name, but=()):
    """Engines leave groups behind."""
    for group in groups_of_engine(name) - set(but):
        for at, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(at)
            except OSError as e:
                print(f"# {at}: {e.strerror}")


def the_end():
    end_all()
    remove_groups(GROUP)
    finish()
