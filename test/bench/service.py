# SPDX-License-Identifier: GPL-2.0-only
"""Part of test/bench/run: a round trip of `criu swrk`, and a checkpoint and restore by runc beside the same by criu alone."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/../cli")
import rpc_wire  # noqa: E402

PROGRAM = "container"       # pauses without arguments; linked statically


def start_swrk(program):
    """As clients do: not by a fork of a large process."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.posix_spawn(program, [program, "swrk", "3"], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, its.fileno(), 3)])
    its.close()
    return rpc_wire.Connection(ours, pid)


def version(bench):
    """-> seconds: start of a program that ends at once, of criu swrk with one request"""
    start = time.monotonic()
    start_swrk("/bin/true").close()
    limit = time.monotonic() - start
    start = time.monotonic()
    c = start_swrk(bench.criu)
    resp = c.ask("VERSION")
    if c.close() or not resp["success"]:
        raise RuntimeError(f"VERSION: {resp}")
    return limit, time.monotonic() - start


class Runc:
    """A container of runc: all namespaces but those of users, a process that sleeps."""

    def __init__(self, bench):
        self.bench, self.bundle = bench, f"{bench.dir}/bundle{bench.rounds}"
        bench.rounds += 1
        self.root = f"{self.bundle}/rootfs"
        for name in ("bin", "dev", "proc", "sys", "tmp"):
            os.makedirs(f"{self.root}/{name}")
        shutil.copy(f"{bench.args.build}/test/bench/{PROGRAM}", f"{self.root}/bin/{PROGRAM}")
        self.env = {**os.environ, "PATH": f"{bench.dir}/bin:{os.environ['PATH']}"}
        self.call("spec", "--bundle", self.bundle)
        with open(f"{self.bundle}/config.json") as f:
            config = json.load(f)
        config["process"].update(terminal=False, args=[f"/bin/{PROGRAM}"])
        config["process"].pop("rlimits", None)
        config["root"]["readonly"] = False
        # What criu can dump without the options that runc passes.
        config["mounts"] = [m for m in config["mounts"] if m["type"] in ("proc", "tmpfs")]
        config["linux"].update(maskedPaths=[], readonlyPaths=[], cgroupsPath=f"/criu-bench-{os.getpid()}-{bench.rounds}")
        with open(f"{self.bundle}/config.json", "w") as f:
            json.dump(config, f)
        self.call("run", "-d", "--bundle", self.bundle, "c")

    def call(self, *words):
        """-> seconds"""
        start = time.monotonic()
        got = subprocess.run(["runc", "--root", f"{self.bench.dir}/runc", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, env=self.env, timeout=60)
        if got.returncode:
            raise RuntimeError(f"runc {' '.join(words)}: exit status {got.returncode}; {self.reason()}")
        return time.monotonic() - start

    def reason(self):
        for name in ("dump.log", "restore.log"):
            path = f"{self.bundle}/images/{name}"
            for line in open(path, errors="replace") if os.path.exists(path) else ():
                if "Error" in line:
                    return line.strip()
        return ""

    def pid(self):
        out = subprocess.run(["runc", "--root", f"{self.bench.dir}/runc", "state", "c"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, check=True, timeout=60).stdout
        return json.loads(out)["pid"]


def cycle(bench):
    """-> seconds: a command of runc that does nothing else; dump and restore by criu, by runc"""
    c = Runc(bench)
    nothing = c.call("state", "c")
    pid = c.pid()
    dump = bench.dump(pid, "--leave-running")
    pidfile = f"{bench.images}/pid"
    images = f"{c.bundle}/images"
    os.mkdir(images)
    # The copy by criu alone has the same control groups: afterwards.
    checkpoint = c.call("checkpoint", "--image-path", images, "--work-path", images, "c")
    bench.reap([pid])
    back = c.call("restore", "-d", "--image-path", images, "--work-path", images, "--bundle", c.bundle, "c")
    c.call("delete", "--force", "c")
    bench.reap([])
    restore = bench.restore("--root", c.root, "--pidfile", pidfile)
    with open(pidfile) as f:
        pid = int(f.read())
    os.kill(pid, signal.SIGKILL)
    bench.reap([pid])
    remove_groups(bench)
    return nothing, dump, restore, checkpoint, back


def remove_groups(bench):
    """Those that the restore by criu alone has created."""
    for top, _, _ in os.walk("/sys/fs/cgroup"):
        if f"criu-bench-{os.getpid()}-" in top:
            os.rmdir(top)


def part(bench, row, median):
    rounds = 5 if bench.args.quick else 21
    limit, took = (median(v) for v in zip(*(version(bench) for _ in range(rounds))))
    row("start and end of /bin/true", limit)
    row("criu swrk: start, VERSION, end", took, took / limit, 3)
    if not shutil.which("runc"):
        print("runc: not measured: package runc is not installed", flush=True)
        return
    os.makedirs(f"{bench.dir}/bin")
    os.symlink(bench.criu, f"{bench.dir}/bin/criu")
    got = [cycle(bench) for _ in range(3 if bench.args.quick else 7)]
    nothing, dump, restore, checkpoint, back = (median(v) for v in zip(*got))
    row("runc state", nothing)
    row("dump of its container by criu", dump)
    row("restore of it by criu", restore)
    row("runc checkpoint", checkpoint, checkpoint / (dump + nothing), 2, "of the dump and runc state")
    row("runc restore", back, back / (restore + nothing), 2, "of the restore and runc state")
