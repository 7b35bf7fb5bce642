# SPDX-License-Identifier: GPL-2.0-only
"""Part of test/bench/run: how many system calls and page faults a command of the tool causes.

perf counts in the kernel, in a separate pass whose times are not used. Everything that belongs to the command is in a
cgroup: the tool, its children, and the tasks that it dumps (their parasites make system calls). perf is outside it.
"""
import os
import shutil
import subprocess

EVENTS = ("raw_syscalls:sys_enter", "page-faults")
# The command enters the group by itself: so nothing of perf is counted, and only the execve of the shell.
ENTER = 'echo 0 > "$0" && exec "$@"'


def perf_hierarchy():
    """-> (mount point, our path in it) of the cgroup hierarchy that perf uses: perf_event of version 1, or version
    2."""
    with open("/proc/self/cgroup") as f:
        paths = {name: path for _, names, path in (line.rstrip("\n").split(":", 2) for line in f) for name in names.split(",")}
    with open("/proc/self/mounts") as f:
        mounts = [line.split() for line in f]
    for _, where, kind, options, *_ in mounts:
        if kind == "cgroup" and "perf_event" in options.split(","):
            return where, paths.get("perf_event", "/")
    for _, where, kind, *_ in mounts:
        if kind == "cgroup2":
            return where, paths.get("", "/")
    raise OSError("no cgroup hierarchy that perf could use is mounted")


class Counter:
    """A cgroup to count in; why is the reason if counting is not possible here."""

    def __init__(self, bench):
        self.out, self.group, self.why = f"{bench.dir}/perf", None, ""
        try:
            if not shutil.which("perf"):
                raise OSError("perf is not installed")
            where, path = perf_hierarchy()
            self.name = f"{path.strip('/')}/criu-bench-{os.path.basename(bench.dir)}".lstrip("/")
            os.mkdir(f"{where}/{self.name}")
            self.group = f"{where}/{self.name}"
            self.count(["/bin/true"])
        except (OSError, ValueError, subprocess.SubprocessError) as e:
            self.why = str(e)

    def close(self):
        if self.group:
            os.rmdir(self.group)

    def add(self, pids):
        """Tasks about to be dumped."""
        for pid in pids:
            with open(f"{self.group}/cgroup.procs", "w") as f:
                f.write(str(pid))

    def count(self, command):
        """Runs @command -> (system calls, page faults)"""
        argv = ["perf", "stat", "-x,", "-o", self.out, "-a"]
        for event in EVENTS:
            argv += ["-e", event, "-G", self.name]
        argv += ["--", "/bin/sh", "-c", ENTER, f"{self.group}/cgroup.procs", *command]
        got = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        if got.returncode:
            raise subprocess.SubprocessError(f"perf stat: {got.stdout.decode(errors='replace').strip()[-300:]}")
        with open(self.out) as f:
            values = {line.split(",")[2]: int(line.split(",")[0]) for line in f if line.count(",") > 2}
        return tuple(values[event] for event in EVENTS)
