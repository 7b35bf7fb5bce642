# SPDX-License-Identifier: GPL-2.0-only
"""Groups of a test, below its own one in each cgroup hierarchy that can be used."""
import os

from tools import Failed, gone, live_pids, spawn, text_of, wait_for



class Groups:
    """.names: hierarchies in which groups can be created ("" is version 2); the test's group in each has the name .label"""

    def __init__(self, unique):
        self.label = "criu-test-" + "".join(c for c in unique if c.isalnum())[-24:]
        self.own, self.mounts = {}, {}
        for line in text_of("/proc/self/cgroup").splitlines():
            _, name, path = line.split(":", 2)
            self.own[name] = path
        self.all = list(self.own)
        for line in text_of("/proc/self/mountinfo").splitlines():
            fields, _, more = line.partition(" - ")
            kind, _, options = more.split(" ", 2)
            at = fields.split()
            for name in self.own:
                if at[3] == "/" and (kind == "cgroup2" and not name or
                                     kind == "cgroup" and name and set(name.split(",")) <= set(options.split(","))):
                    self.mounts[name] = at[4]
        self.names = [n for n in self.own if n in self.mounts and self._usable(n)]

    def _usable(self, name):
        try:
            self.create("", name)
            os.rmdir(self.path(name, ""))
            return True
        except OSError:
            return False

    def path(self, name, below, file=""):
        return "/".join(part for part in (self.mounts[name] + self.own[name].rstrip("/"), self.label, below, file) if part)

    def exists(self, name, below):
        return os.path.isdir(self.path(name, below))

    def create(self, below, only=None):
        for name in self.names if only is None else [only]:
            os.makedirs(self.path(name, below), exist_ok=True)
            # without CPUs and memory nothing can enter
            at = self.path(name, "")
            for part in [""] + below.split("/") if "cpuset" in name.split(",") else []:
                at = f"{at}/{part}" if part else at
                for file in ("cpuset.cpus", "cpuset.mems"):
                    if not text_of(f"{at}/{file}").strip():
                        with open(f"{at}/{file}", "w") as f:
                            f.write(text_of(f"{at}/../{file}"))

    def remove(self, below, only=None):
        for name in self.names if only is None else [only]:
            top = self.path(name, below)
            for at, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(at)
                except FileNotFoundError:
                    pass        # the keeper of a restore that was killed removes them, too

    def remove_all(self):
        for pid in live_pids() - {1}:
            if any(self.label in line for line in text_of(f"/proc/{pid}/cgroup").splitlines()):
                os.kill(pid, 9)
                gone([pid])
        for name in self.names:
            try:
                wait_for(lambda: not self._has_tasks(name), "empty groups", 10)
                self.remove("", name)
            except (OSError, Failed):
                pass

    def _has_tasks(self, name):
        return any(text_of(f"{at}/cgroup.procs") for at, _, _ in os.walk(self.path(name, "")))

    def read(self, name, below, file):
        return text_of(self.path(name, below, file)).rstrip("\n")

    def write(self, name, below, file, text):
        with open(self.path(name, below, file), "w") as f:
            f.write(text)

    def run(self, argv, below="", only=None):
        """A program in these groups -> pid"""
        names = self.names if only is None else only
        enter = "".join(f"echo 0 > {self.path(n, below)}/cgroup.procs && " for n in names)
        pid = spawn(["/bin/sh", "-c", f'{enter} exec "$@"', "sh", *argv])
        wait_for(lambda: text_of(f"/proc/{pid}/comm").strip() == os.path.basename(argv[0])[:15], f"{argv[0]} in its groups", 10)
        return pid

    def holds(self, pid, only=None, below=""):
        """Is it in these groups?"""
        lines = text_of(f"/proc/{pid}/cgroup").splitlines()
        tail = f"/{self.label}" + (f"/{below}" if below else "")
        return all(any(line.split(":", 2)[1] == n and line.endswith(self.own[n].rstrip("/") + tail) for line in lines)
                   for n in (self.names if only is None else [only]))
