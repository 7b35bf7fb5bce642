# SPDX-License-Identifier: GPL-2.0-only
"""
The trees of other_kernel, the guests of kind tests, which verify their state from the inside: of some the dump is on one kernel, and the
restore on another one. Both sides import this; it knows nothing of how they are started.
"""
import json
import os
import re
import shutil

import runner
from runner.inside import Kind
from runner.jobs import TESTS

# Dumped and restored by the other kernel alone: few tasks, as each polls; the flavour is the environment of the tree (runner/flavours.py).
ALONE = [("fpu", "host"), ("mem_shared", "host"), ("user_ns", "host")]
# Dumped by one kernel, and restored by the other one: in both directions.
MOVED = ["mem_cow", "tcp_pair", "unix_rights", "eventfd", "seccomp", "sigaltstack"]
# What a kernel of this version or an older one cannot restore, and the reason that it has to give.
NEWER = [("mem_sealed", (6, 9), r"seal"), ("mem_guard", (6, 12), r"guard"), ("mem_droppable", (6, 10), r"droppable"),
         ("pidfd_thread", (6, 8), r"pidfd|thread"), ("thread_values", (6, 14), r"PR_TIMER_CREATE_RESTORE_IDS")]
# The guests run on both CPUs: glibc must not choose what the emulated one lacks, nor save registers by it.
CPU = {"LD_BIND_NOW": "1", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-BMI2,-RTM,-ERMS,-FSRM,-XSAVEC,-XSAVE"}


class Case(Kind):
    """A guest in @top, its directory at both kernels."""

    def __init__(self, name, top, build, criu, flavour="host"):
        want = runner.read_header(f"{TESTS}/kinds/{name}.c")
        want["decode"] = False
        want["restore-options"] = [*want["restore-options"], "--cpu-cap=fpu"]
        super().__init__({"dir": top, "binary": f"{build}/test/kinds/{name}", "criu": criu, "variant": "restored", "flavour": flavour,
                          "want": want, "env": CPU})
        self.name = name

    def start(self):
        os.makedirs(self.top)
        super().start()

    def leave(self, to):
        """Starts the guest and dumps it; everything that it needs goes to the directory @to."""
        self.start()
        if not self.wait_state(0):
            raise runner.Failed("it ended before its checkpoint")
        pids = runner.tree_of(self.pid)
        self.must_dump()
        self.must_be_gone(pids)
        with open(f"{self.top}/root", "w") as f:
            f.write(str(self.pid))
        shutil.copytree(self.top, to, symlinks=True, copy_function=copy)

    def come(self, origin):
        """-> exit status of the restore, and its messages"""
        os.makedirs(os.path.dirname(self.top), exist_ok=True)
        shutil.copytree(origin, self.top, symlinks=True, copy_function=copy)
        self.dir = f"{self.top}/img1"
        self.pid = int(runner.text_of(f"{self.top}/root"))
        runner.statuses.pop(self.pid, None)
        others = runner.live_pids()
        code, text = self.restore()
        if code and runner.live_pids() - others:
            raise runner.Failed(f"the restore failed, and left {runner.live_pids() - others}")
        return code, text

    def arrive(self, origin):
        code, text = self.come(origin)
        if code:
            raise runner.Failed(f"restore failed ({code}): {runner.last_lines(text, 3)}")
        self.pid = self.flavour.restored_root(self.pid)
        round_nr = 0
        while True:
            open(self.at("go", round_nr), "w").close()
            round_nr += 1
            if not self.wait_state(round_nr):
                break
        code = os.waitstatus_to_exitcode(runner.statuses.pop(self.pid))
        if code or runner.text_of(f"{self.work}/done").strip() != "ok":
            raise runner.Failed(f"exit status {code}; {self.fail_notes()[:300]}")

    def is_refused(self, origin, reason):
        code, text = self.come(origin)
        if not code:
            self.kill()
            raise runner.Failed("it was restored")
        if not re.search(reason, text, re.I):
            raise runner.Failed(f"the reason is not given: {runner.last_lines(text, 3)}")

    def kill(self):
        for pid in runner.tree_of(self.pid):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass


def version():
    """Of the kernel that runs here."""
    return tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())


def copy(src, dst):
    """Owner and times as well: the images know the files."""
    shutil.copy2(src, dst, follow_symlinks=False)
    st = os.lstat(src)
    os.chown(dst, st.st_uid, st.st_gid, follow_symlinks=False)


def outcome(work):
    """-> [result, reason]: pass, skip or fail"""
    try:
        work()
        return ["pass", ""]
    except runner.processes.Skipped as e:
        return ["skip", str(e)]
    except (runner.Failed, OSError, ValueError) as e:
        return ["fail", f"{e!r}" if not isinstance(e, runner.Failed) else str(e)]


def put_result(path, name, result):
    """A line of JSON at once: the other side reads the file meanwhile."""
    with open(path, "a") as f:
        f.write(json.dumps([name, *result]) + "\n")


def results_of(path):
    text = runner.text_of(path)
    return {} if text.startswith("<") else {r[0]: r[1:] for r in map(json.loads, text.splitlines(keepends=False)[:text.count("\n")])}
