# SPDX-License-Identifier: GPL-2.0-only
"""Containers with all namespaces, for tests after tools.enter()."""
import json
import os
import re
import sys

from tools import CRIU, HERE, Failed, criu, exit_of, gone, images_dir, last_lines, live_pids, run, runner, start, text_of, tmp, tree_of, wait_for

ENV = {"container": "criu-test", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "vt220"}
NUMBERS = re.compile(r",(?:pgrp|pipe_ino)=\d+")  # of autofs: those of the tool's pid namespace, and of a new pipe

class Box:
    """.init is the tool's pid of the first process; .root its root directory"""

    def __init__(self, root, init, **spec):
        self.root, self.namespaces = root, [f"-{c}" for c in "muinpC" + ("U" if spec.get("maps") else "")]
        note = tmp("box.pid")
        if os.path.exists(note):
            os.unlink(note)
        with open(tmp("box.json"), "w") as f:
            json.dump({"root": root, "init": init, "env": ENV, "note": note, **spec}, f)
        starter = start([sys.executable, f"{HERE}/box_start.py", tmp("box.json")], tmp("box.out"))
        if exit_of(starter, 60):
            raise Failed(f"the container does not start: {last_lines(text_of(tmp('box.out')), 3)}")
        self.init = int(text_of(note))

    def run(self, command, seconds=60):
        """Of a command inside -> (exit status, output)"""
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        return run(["nsenter", "-t", str(self.init), *self.namespaces, "--", "env", "-i", *(f"{k}={v}" for k, v in ENV.items()), *words], seconds)

    def sh(self, command, seconds=60):
        """-> the output of a command inside, which must succeed"""
        code, text = self.run(command, seconds)
        if code:
            raise Failed(f"inside: {command}: exit status {code}: {last_lines(text, 4)}")
        return text

    def pids(self):
        """The tool's pids of all processes in it, also of those that have entered."""
        own = os.readlink(f"/proc/{self.init}/ns/pid")
        return {pid for pid in live_pids() if _link(pid) == own}

    def dump(self, *options):
        """Ends with it. -> the images"""
        images, pids = images_dir(), self.pids()
        code, text = criu("dump", "-t", self.init, "-D", images, "-o", "dump.log", "-v4", *options)
        if code:
            raise Failed(f"dump failed ({code}): {last_lines(text, 8)}")
        gone(pids)
        return images

    def restore(self, images, *options, inherited=None):
        """@inherited: a descriptor, and the key that it is passed in for"""
        pidfile = f"{images}/pidfile"
        words = [CRIU, "restore", "-d", "-D", images, "-o", "restore.log", "-v4", "--root", self.root, "--pidfile", pidfile, *options]
        code, text = command_with(words, inherited) if inherited else runner.command(words, tmp("criu.out"), 120)
        if code:
            raise Failed(f"restore failed ({code}): {last_lines(text, 4)}; log: {last_lines(text_of(images + '/restore.log'), 5)}")
        self.init = int(text_of(pidfile))
        os.unlink(pidfile)

    def end(self):
        pids = self.pids() | set(tree_of(self.init))
        os.kill(self.init, 9)
        gone(pids, 30)

    def mounts(self, *group):
        """Of the root's namespace, without what is numbered anew, or the place of the root and @group: [line]"""
        lines = [line.split(" ") for line in text_of(f"/proc/{self.init}/mountinfo").splitlines()]
        parents = {f[0]: f[4] for f in lines}
        for f in lines:
            f[3] = "root" if f[3] == self.root else "group" if f[3] in group else f[3]
        return sorted(" ".join([parents.get(f[1], "-") if f[4] != "/" else "-", *f[3:6], *(NUMBERS.sub("", w.split(":")[0]) for w in f[6:])]) for f in lines)

    def processes(self):
        """{pid inside: what does not change}, of those that are not about to exit"""
        out = {}
        for pid in self.pids():
            status = dict(line.split(":\t", 1) for line in text_of(f"/proc/{pid}/status").splitlines() if ":\t" in line)
            keys = "Name Umask Uid Gid Groups NoNewPrivs Seccomp Seccomp_filters CapBnd CapPrm CapAmb SigCgt SigIgn Threads".split()
            if "NSpid" in status and not status["State"].startswith("Z"):
                out[status["NSpid"].split()[-1]] = {**{k: status.get(k) for k in keys}, "cgroup": text_of(f"/proc/{pid}/cgroup")}
        return out


def command_with(words, inherited):
    """As runner.command, with a descriptor, as 9 -> exit status, output"""
    fd, key = inherited
    pid = os.fork()
    if not pid:
        try:
            out = os.open(tmp("criu.out"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(out, 1)
            os.dup2(out, 2)
            os.dup2(fd, 9)
            os.set_inheritable(9, True)
            os.setsid()
            os.execv(words[0], [*words, "--inherit-fd", f"fd[9]:{key}"])
        finally:
            os._exit(127)
    runner.statuses.pop(pid, None)
    return exit_of(pid), text_of(tmp("criu.out"))


def _link(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def host_root(root, *more):
    """A root directory that shows /usr of the host (as a mount of the container: ["/usr", "usr", None, 4096, None])."""
    for name in ("usr", "proc", "sys", "dev", "run", "tmp", "mnt", "work", "etc", *more):
        os.makedirs(f"{root}/{name}")
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{name}", f"{root}/{name}")
    os.chmod(f"{root}/work", 0o777)
    return root
