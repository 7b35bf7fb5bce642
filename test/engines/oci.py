# SPDX-License-Identifier: GPL-2.0-only
"""Cases for programs with the command line of runc. The container has all namespaces but those of users."""
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import sys
import termios

from engine import *  # noqa: F403
from engine import GROUP, Client, Guest, case, make_root, the_end
from tools import BUILD, Failed, last_lines, put, run, sh, text_of, tmp, wait_for, want

PROGRAM = None


def spec(bundle, root, change):
    """runc's own, changed for the guest."""
    sh(f"cd {bundle} && {PROGRAM} spec")
    with open(f"{bundle}/config.json") as f:
        config = json.load(f)
    config["process"].update(terminal=False, args=["/bin/guest"])
    config["root"].update(path=root, readonly=False)
    config["linux"]["cgroupsPath"] = f"/{GROUP}/{os.path.basename(bundle)}"
    # The machine's root may not raise limits.
    config["process"].pop("rlimits", None)
    change(config)
    with open(f"{bundle}/config.json", "w") as f:
        json.dump(config, f)


class Container:
    def __init__(self, name, change=lambda config: None, root=None):
        self.name, self.bundle = name, tmp(f"bundle-{name}")
        os.makedirs(f"{self.bundle}/work")
        self.root = make_root(f"{self.bundle}/rootfs")
        spec(self.bundle, self.root, change)
        self.guest = Guest(self.root)

    def call(self, command, *options, check=True, more=(), inside=()):
        """With /dev/null as its standard descriptors, which the container inherits."""
        log = tmp("engine.log")
        if os.path.exists(log):
            os.unlink(log)
        # runc's -d leaves its descriptors to the container
        code, text = run([*inside, "sh", "-c", 'exec "$@" </dev/null >"$0" 2>&1', tmp("engine.out") if command in ("state",) else "/dev/null",
                          PROGRAM, "--root", tmp("engine-state"), "--log", log, command, *options, self.name, *more])
        text += text_of(tmp("engine.out")) if command == "state" else ""
        text += text_of(log)
        want(code == 0 or not check, f"{PROGRAM} {command}: exit status {code}: {text}")
        return text if check else (code, text)

    def run(self, *options):
        self.call("run", "-d", "--bundle", self.bundle, *options)
        self.guest.begins()

    def checkpoint(self, images, *options, check=True):
        return self.logged("dump.log", "checkpoint", images, options, check)

    def log(self, name):
        return last_lines("\n".join(line for line in text_of(f"{self.bundle}/work/{name}").splitlines() if "Error" in line), 5)

    def restore(self, images, *options, check=True):
        return self.logged("restore.log", "restore", images, ["-d", "--bundle", self.bundle, *options], check)

    def logged(self, log, command, images, options, check):
        try:
            return self.call(command, "--image-path", tmp(images), "--work-path", f"{self.bundle}/work", *options, check=check)
        except Failed as e:
            raise Failed(f"{e}; {self.log(log)}")

    def state(self):
        return json.loads(self.call("state"))["status"]

    def pid(self):
        return json.loads(self.call("state"))["pid"]

    def end(self):
        self.call("delete", "--force", check=False)

    def gone(self):
        code, text = self.call("state", check=False)
        want(code != 0, f"the container is still there: {text}")


def checkpoint_and_restore_thrice():
    c = Container("c1")
    c.run()
    for n in range(3):
        c.checkpoint(f"images{n}")
        c.gone()
        before = c.guest.number()
        c.restore(f"images{n}")
        want(c.state() == "running", c.state())
        c.guest.goes_on(before)
    want(not c.log("dump.log") and not c.log("restore.log"), c.log("dump.log") + c.log("restore.log"))
    c.end()


def leave_running():
    c = Container("c2")
    c.run()
    c.checkpoint("images-running", "--leave-running")
    want(c.state() == "running", c.state())
    c.guest.goes_on()
    c.end()


def unchanged_pages(images):
    """How many pages of them are in the images before."""
    dumped = json.loads(sh([f"{BUILD}/crit", "decode", "-i", images]))
    return dumped["entries"][0]["dump"]["pages_skipped_parent"]


def pre_dumps():
    c = Container("c9")
    c.run()
    c.checkpoint("pre-1", "--pre-dump")
    want(c.state() == "running", c.state())
    c.guest.goes_on()
    c.checkpoint("pre-2", "--pre-dump", "--parent-path", "../pre-1")
    want(unchanged_pages(f"{c.bundle}/work/stats-dump") > 0, "the second pre-dump saved everything")
    c.guest.goes_on()
    c.checkpoint("images-last", "--parent-path", "../pre-2")
    want(unchanged_pages(f"{c.bundle}/work/stats-dump") > 0, "the dump saved everything")
    c.gone()
    before = c.guest.number()
    c.restore("images-last")
    c.guest.goes_on(before)
    c.end()


def connection():
    """A container in the network namespace of the host, with a client outside."""
    def change(config):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "network"]
    c = Container("c3", change)
    c.run()
    client = Client("127.0.0.1")
    client.talk()
    code, text = c.checkpoint("images-refused", check=False)
    want(code and "--tcp-established" in c.log("dump.log"), f"without --tcp-established: {code}: {text}: {c.log('dump.log')}")
    client.talk()
    for n in range(2):
        c.checkpoint(f"images-tcp{n}", "--tcp-established")
        c.restore(f"images-tcp{n}", "--tcp-established")
        client.talk()
    c.end()


def bind_mounts_and_masked_files():
    put("outside", "outside\n")
    os.mkdir(tmp("volume"))

    def change(config):
        config["mounts"] += [{"destination": "/etc/inside", "type": "bind", "source": tmp("outside"), "options": ["bind", "ro"]},
                             {"destination": "/var/volume", "type": "bind", "source": tmp("volume"), "options": ["rbind", "rw"]}]
    c = Container("c4", change)
    c.run()
    before = mounts(c.pid())
    c.checkpoint("images-binds")
    c.restore("images-binds")
    after = mounts(c.pid())
    want(after == before, f"mounts: {sorted(set(before) - set(after))} became {sorted(set(after) - set(before))}")
    want(text_of(f"/proc/{c.pid()}/root/etc/inside") == "outside\n", "the bind mount of a file")
    c.guest.goes_on()
    c.end()


def mounts(pid):
    """What is mounted where. runc passes its own groups and /dev/null for the groups and masked files of the container."""
    lines = []
    for line in text_of(f"/proc/{pid}/mountinfo").splitlines():
        fields, _, more = line.partition(" - ")
        (root, at, options), (kind, source, super_options) = fields.split()[3:6], more.split()
        if kind == "cgroup":
            root = "-"
        elif root == "/null":
            kind, source, super_options = "-", "-", "-"
        lines.append(" ".join((root, at, options, kind, source, super_options)))
    return sorted(lines)


def host_of_another_name():
    """All that an engine sets: host name, capabilities, cgroup."""
    c = Container("c5", lambda config: config.update(hostname="another"))
    c.run()
    before = [text_of(f"/proc/{c.pid()}/{name}") for name in ("cgroup", "attr/current")]
    c.checkpoint("images-host")
    c.restore("images-host")
    after = [text_of(f"/proc/{c.pid()}/{name}") for name in ("cgroup", "attr/current")]
    want(before == after, f"{before} then {after}")
    c.guest.goes_on()
    c.end()


def cgroup_modes():
    c = Container("c6")
    c.run()
    for mode in ("soft", "full", "strict"):
        c.checkpoint(f"images-{mode}", "--manage-cgroups-mode", mode)
        c.restore(f"images-{mode}", "--manage-cgroups-mode", mode)
        c.guest.goes_on()
    c.end()


def user_namespace():
    """A container whose root is another user outside; the engine restores it as its own child."""
    def change(config):
        config["linux"]["namespaces"].append({"type": "user"})
        for name in "uidMappings", "gidMappings":
            config["linux"][name] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    c = Container("c11", change)
    sh(["chown", "-R", "100000:100000", c.root])
    c.run()
    c.checkpoint("images-user", "--leave-running")
    want(c.state() == "running", c.state())
    c.guest.goes_on()
    c.checkpoint("images-user2")
    for n in range(2):
        before = c.guest.number()
        c.restore(f"images-user{2 + n}")
        want(text_of(f"/proc/{c.pid()}/uid_map").split() == ["0", "100000", "65536"], text_of(f"/proc/{c.pid()}/uid_map"))
        c.guest.goes_on(before)
        c.checkpoint(f"images-user{3 + n}")
    with open(tmp("images-user4/pstree.img"), "r+b") as f:
        f.truncate(10)
    code, text = c.restore("images-user4", check=False)
    want(code and "pstree.img" in c.log("restore.log"), f"{code}: {text}: {c.log('restore.log')}")
    c.gone()


# Executes the rest of the command line as root of a new user namespace, which has the same ids.
IN_USER_NAMESPACE = """
import ctypes, os, sys
(r, w), (ready, go) = os.pipe(), os.pipe()
pid = os.fork()
if not pid:
    if ctypes.CDLL(None).unshare(0x10000000):
        os._exit(99)
    os.write(w, b"x")
    os.read(ready, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
os.close(w)
if os.read(r, 1):
    for name in "uid_map", "gid_map":
        with open(f"/proc/{pid}/{name}", "w") as f:
            f.write("0 0 65536")
os.write(go, b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def started_in_a_user_namespace():
    """The engine itself was in one, as without root. There it is told what criu lacks; outside it can do both."""
    c = Container("c12", lambda config: config["linux"].update(resources={}))
    inside = ["python3", put("inside.py", IN_USER_NAMESPACE)]
    c.call("run", "-d", "--bundle", c.bundle, inside=inside)
    c.guest.begins()
    user = os.readlink(f"/proc/{c.pid()}/ns/user")
    want(user != os.readlink("/proc/self/ns/user"), "the container is in our user namespace")
    where = ("--image-path", tmp("images-inside"), "--work-path", f"{c.bundle}/work")
    again = ["nsenter", f"--user=/proc/{c.pid()}/ns/user", "--preserve-credentials"]
    code, text = c.call("checkpoint", *where, check=False, inside=again)
    want(code and "run criu as root" in c.log("dump.log"), f"{code}: {text}; {c.log('dump.log')}")
    want(c.state() == "running", c.state())
    c.guest.goes_on()
    for n in range(2):
        c.checkpoint(f"images-nested{n}")
        before = c.guest.number()
        c.restore(f"images-nested{n}")
        want(os.readlink(f"/proc/{c.pid()}/ns/user") != os.readlink("/proc/self/ns/user"), "it is in our user namespace")
        c.guest.goes_on(before)
    c.end()


class Console:
    """Where the engine sends the master of the container's terminal."""

    def __init__(self, name):
        self.path = tmp(f"{name}.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.master = None

    def take(self):
        self.listener.settimeout(60)
        connection, _ = self.listener.accept()
        self.master = socket.recv_fds(connection, 4096, 1)[1][0]
        os.set_blocking(self.master, False)

    def talk(self, line):
        """-> what the guest answers"""
        os.write(self.master, f"{line}\n".encode())
        text = []

        def more():
            try:
                text.append(os.read(self.master, 4096).decode())
            except BlockingIOError:
                pass
            return re.search(rf"\d+ \d+x\d+ {line}\r\n", "".join(text))
        wait_for(more, f"an answer to {line}; there was {text}", 60)
        return more()[0]

    def lose(self):
        os.close(self.master)


def terminal():
    """Its other end is outside; the engine gets a new one at restore, and passes it on."""
    c = Container("c10", lambda config: config["process"].update(terminal=True))
    console = Console("console0")
    c.run("--console-socket", console.path)
    console.take()
    console.talk("hello")
    fcntl.ioctl(console.master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    want(" 77x33 " in console.talk("size"), "the size of the terminal")
    for n in range(2):
        c.checkpoint(f"images-tty{n}")
        console.lose()
        console = Console(f"console{n + 1}")
        before = c.guest.number()
        c.restore(f"images-tty{n}", "--console-socket", console.path)
        console.take()
        want(" 77x33 " in console.talk(f"again{n}"), "the size of the terminal")
        c.guest.goes_on(before)
    c.end()


def lazy_pages_at_a_port_in_use():
    c = Container("c7")
    c.run()
    with socket.create_server(("127.0.0.1", 0)) as other:
        code, text = c.checkpoint("images-lazy", "--lazy-pages", "--page-server", f"127.0.0.1:{other.getsockname()[1]}", check=False)
    want(code != 0, "lazy pages were accepted")
    c.guest.goes_on()
    c.end()


def damaged_images():
    c = Container("c8")
    c.run()
    c.checkpoint("images-bad")
    with open(tmp("images-bad/pstree.img"), "r+b") as f:
        f.truncate(10)
    code, text = c.restore("images-bad", check=False)
    want(code and "pstree.img" in c.log("restore.log"), f"{code}: {text}: {c.log('restore.log')}")
    c.gone()


CASES = (checkpoint_and_restore_thrice, leave_running, pre_dumps, connection, bind_mounts_and_masked_files, host_of_another_name,
         cgroup_modes, user_namespace, started_in_a_user_namespace, terminal, lazy_pages_at_a_port_in_use, damaged_images)


def main(program, without=()):
    global PROGRAM
    PROGRAM = program
    for test in CASES:
        if (test.__name__ in sys.argv if len(sys.argv) > 1 else test.__name__ not in without):
            case(test)
    the_end()
