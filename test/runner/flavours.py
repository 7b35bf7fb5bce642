# SPDX-License-Identifier: GPL-2.0-only
"""The environment of the tree of a kind test, and how the runner starts, dumps and finds it.

A test lists its flavours in its header (`flavours=host,...`); each variant runs once per flavour. To add a flavour,
write a class with the methods of Host and add a row to FLAVOURS; inside.py names no flavour. The runner is always pid 1
of its own namespaces (pid, mount, IPC, and network with net=own), and every pid it uses is a pid in that namespace.
"""
import ctypes
import fcntl
import json
import os
import socket
import struct

from .processes import Failed, command, live_pids, start, statuses, text_of, wait_for
from .snapshot import snapshot

UNSHARE = ["unshare", "--pid", "--mount", "--ipc", "--fork", "--kill-child", "--mount-proc"]
# A private devpts instance: no other test may take our pty numbers between dump and restore.
FRESH_DEVPTS = ("mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts /dev/pts && "
                "mount --bind /dev/pts/ptmx /dev/ptmx")


def unshare_words(net=False):
    """Start of a command line that runs the rest of it as pid 1 of new namespaces."""
    return UNSHARE + (["--net"] if net else [])


def prepare_namespaces(out, net=False):
    """Setup that pid 1 of new namespaces does first. The output of the commands goes to @out."""
    code, text = command(["/bin/sh", "-c", FRESH_DEVPTS], out)
    if code:
        raise Failed(f"devpts: {text}")
    if net:
        loopback_up()


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1))     # SIOCSIFFLAGS, IFF_UP


class Host:
    """The tree shares all namespaces with the tool and the runner."""

    def __init__(self, spec):
        self.spec = spec

    def start(self, argv, out, env):
        """Starts the test program -> pid of the root task."""
        return start(argv, out, env=env)

    def dump_options(self):
        return []

    def restore_options(self):
        return []

    def restored_root(self, dumped):
        """-> pid of the root task after a restore; its pid at dump was @dumped."""
        return dumped

    def snapshot(self, root):
        """The state that is compared before and after; must not depend on anything that this flavour does not
        preserve."""
        return snapshot(root)


libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
CLONE_NEWCGROUP = 0x2000000
CLONE_NEWUSER, PR_SET_DUMPABLE = 0x10000000, 4
MS_PRIVATE, MS_REC = 1 << 18, 1 << 14


def must(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


class Pid(Host):
    """The tree has its own pid and UTS namespaces: an init, and the test below it. Everything else is the runner's."""
    namespaces = CLONE_NEWPID | CLONE_NEWUTS

    def in_child(self, work):
        """Runs work() in a process that exits afterwards; its exceptions are raised here."""
        note = f"{self.spec['dir']}/child.error"
        pid = os.fork()
        if not pid:
            try:
                work()
                os._exit(0)
            except BaseException as e:  # noqa: BLE001 the parent raises it
                with open(note, "w") as f:
                    f.write(repr(e))
            os._exit(1)
        statuses.pop(pid, None)
        wait_for(lambda: pid in statuses, "child of the runner")
        if statuses.pop(pid):
            raise Failed(text_of(note))

    def create(self):
        must(libc.unshare(self.namespaces), "unshare")

    def prepare(self):
        """In the new namespaces, before the tree exists."""

    def init_options(self):
        return []

    def start(self, argv, out, env):
        """Started by a process that exits at once: the init becomes the runner's child."""
        init = os.path.dirname(os.path.dirname(self.spec["binary"])) + "/runner/init"
        note = f"{self.spec['dir']}/root.pid"

        def make():
            self.create()
            self.prepare()
            with open(note, "w") as f:
                f.write(str(start([init, *self.init_options(), *argv], out, env=env)))
        self.in_child(make)
        root = int(text_of(note))
        statuses.pop(root, None)
        return root

    def restore_options(self):
        return ["--pidfile", f"{self.spec['dir']}/restored.pid"]

    def restored_root(self, dumped):
        path = f"{self.spec['dir']}/restored.pid"
        root = int(text_of(path))
        os.unlink(path)
        return root

    def snapshot(self, root):
        """As seen by a process in the tree's pid namespace, with a /proc of that: pids outside are new each time."""
        note = f"{self.spec['dir']}/snapshot.json"

        def look():
            self.enter_mounts(mounts)
            with open(note, "w") as f:
                json.dump(snapshot(1), f)

        mounts = os.open(f"/proc/{root}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

        def enter():
            fd = self.open_namespace(root)
            must(libc.setns(fd, CLONE_NEWPID), "setns")
            pid = os.fork()
            if not pid:
                try:
                    look()
                    os._exit(0)
                finally:
                    os._exit(1)
            if os.waitpid(pid, 0)[1]:
                raise Failed("inspect the tree in its namespaces")
        self.in_child(enter)
        os.close(mounts)
        with open(note) as f:
            return json.load(f)


    def open_namespace(self, root):
        return os.open(f"/proc/{root}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def enter_mounts(self, mounts):
        """In the tree's pid namespace: makes /proc show it. @mounts: the root's mount namespace."""
        must(libc.unshare(CLONE_NEWNS), "unshare")
        must(libc.mount(b"proc", b"/", None, MS_REC | MS_PRIVATE, None), "mount")
        must(libc.mount(b"proc", b"/proc", b"proc", 0, None), "mount /proc")


class Nested(Pid):
    """The root is in the runner's namespaces; its child is the init of a pid namespace."""

    def init_options(self):
        return ["-p"]

    def start(self, argv, out, env):
        init = os.path.dirname(os.path.dirname(self.spec["binary"])) + "/runner/init"
        return start([init, *self.init_options(), *argv], out, env=env)

    def restore_options(self):
        return []

    def restored_root(self, dumped):
        return dumped

    def open_namespace(self, root):
        """The innermost one: the root and the inits are in others than the next ones."""
        while True:
            pid, children = os.stat(f"/proc/{root}/ns/pid"), os.stat(f"/proc/{root}/ns/pid_for_children")
            if pid.st_ino == children.st_ino:
                return os.open(f"/proc/{root}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            root = int(text_of(f"/proc/{root}/task/{root}/children").split()[0])


class Nested3(Pid):
    """Two nested pid namespaces in that of the tree."""

    def init_options(self):
        return ["-p", "-p"]

    def open_namespace(self, root):
        return Nested.open_namespace(self, root)


class Ipc(Pid):
    """The same with an IPC namespace of its own."""
    namespaces = Pid.namespaces | CLONE_NEWIPC


class Net(Pid):
    """The same with a network namespace of its own, which has loopback only."""
    namespaces = Pid.namespaces | CLONE_NEWNET

    def prepare(self):
        loopback_up()


class Container(Ipc):
    """The same with a mount namespace of its own, another root directory, and its own /proc and /dev/pts."""
    namespaces = Ipc.namespaces | CLONE_NEWNS

    def root(self):
        return f"{self.spec['dir']}/root"

    def init_options(self):
        os.mkdir(self.root())
        return ["-r", self.root()]

    def dump_options(self):
        return ["--external", "mnt[]"]

    def restore_options(self):
        return super().restore_options() + ["--external", "mnt[]", "--root", self.root()]

    def enter_mounts(self, mounts):
        must(libc.setns(mounts, CLONE_NEWNS), "setns")


class User(Pid):
    """All of these, and a user namespace of its own, which owns them; its ids are others outside."""
    namespaces = Pid.namespaces | CLONE_NEWIPC | CLONE_NEWNET
    ids = "0 100000 65536"
    owner = 0

    def start(self, argv, out, env):
        # Files of its own: some belong to the outer root, whose files are not accessible inside.
        for path in (out, f"{self.spec['dir']}/root.pid", f"{self.spec['dir']}/child.error"):
            open(path, "w").close()
            os.chmod(path, 0o666)
        return super().start(argv, out, env)

    def create(self):
        ours, theirs = os.pipe()
        mapper = os.fork()
        if not mapper:
            try:
                os.read(ours, 1)
                for name in ("uid_map", "gid_map"):
                    with open(f"/proc/{os.getppid()}/{name}", "w") as f:
                        f.write(self.ids)
                os._exit(0)
            finally:
                os._exit(1)
        os.seteuid(self.owner)
        must(libc.unshare(CLONE_NEWUSER), "unshare")
        os.write(theirs, b"x")
        if os.waitpid(mapper, 0)[1]:
            raise Failed("map ids")
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        must(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")
        super().create()

    def prepare(self):
        loopback_up()


class Owned(User):
    """The same, but the user namespace belongs to an ordinary user, who has all capabilities in it."""
    owner = 4711


class Rootless(User):
    """All namespaces at once, as of a container without a root directory of its own (unshare -Urmpfniu --mount-proc)."""
    namespaces = User.namespaces | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWCGROUP

    def init_options(self):
        return ["-m"]

    def dump_options(self):
        return ["--external", "mnt[]"]

    def restore_options(self):
        return super().restore_options() + ["--external", "mnt[]"]

    def enter_mounts(self, mounts):
        must(libc.setns(mounts, CLONE_NEWNS), "setns")


class Lazy(Host):
    """Pages are restored when they are accessed, or in the background."""

    def restore_options(self):
        return ["--lazy-pages"]

    def restored_root(self, dumped):
        """The program runs meanwhile, but the daemon that supplies its pages must be gone at the end, too."""
        wait_for(lambda: not any(text_of(f"/proc/{pid}/comm").startswith("criu-lazy") for pid in live_pids()), "the end of the daemon", 30)
        return dumped


FLAVOURS = {"host": Host, "lazy": Lazy, "pid": Pid, "nested": Nested, "nested3": Nested3, "ipc": Ipc, "net": Net, "container": Container, "user": User,
            "owned": Owned, "rootless": Rootless}
