# SPDX-License-Identifier: GPL-2.0-only
"""Part of test/bench/run: how many system calls and page faults a command of the tool takes.

perf counts in the kernel, in a pass of its own whose times are not used. All that belongs to the command is put into a
cgroup: the tool, what it forks, and the tasks that it dumps (it makes them call, too). perf itself is outside.
"""
import os
import shutil
import subprocess

EVENTS = ("raw_syscalls:sys_enter", "page-faults")
# The command enters the group by itself: so nothing of perf is counted, and of the shell only the execve.
ENTER = 'echo 0 > "$0" && exec "$@"'


def perf_hierarchy():
    """-> (mount point, our path in it) of the cgroups that perf goes by: perf_event of version 1, or version 2."""
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
    raise OSError("no hierarchy of cgroups that perf could use is mounted")


class Counter:
    """A cgroup to count in; why is the reason if nothing can be counted here."""

    def __init__(self, bench):
        self.out, self.group, self.why = f"{bench.dir}/perf", None, ""
        try:
            if not shutil.which("perf"):
                raise OSError("there is no perf")
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
        """Tasks that are going to be dumped."""
        for pid in pids:
            with open(f"{self.group}/cgroup.procs", "w") as f:
                f.write(str(pid))

    def count(self, command):
        """Runs it -> (system calls, page faults)"""
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
