# SPDX-License-Identifier: GPL-2.0-only
"""Runs one kind test as pid 1 of its own namespaces, and leaves the result in a file for outside.py."""
import itertools
import json
import os
import re
import signal
import time

from .flavours import FLAVOURS, prepare_namespaces
from .jobs import TESTS
from .processes import Failed, Skipped, command, last_lines, live_pids, statuses, text_of, tree_of, wait_for
from .snapshot import differences


class Kind:
    """One variant of a kind test in one flavour."""

    def __init__(self, spec):
        self.spec, self.want = spec, spec["want"]
        self.flavour = FLAVOURS[spec["flavour"]](spec)
        self.top = spec["dir"]
        self.work, self.log = f"{self.top}/work", f"{self.top}/log"
        self.criu, self.variant = spec["criu"], spec["variant"]
        self.images = 0

    def at(self, name, round_nr):
        return f"{self.work}/{name}" + (f".{round_nr}" if round_nr else "")

    def fail_notes(self):
        text = text_of(f"{self.work}/failed")
        return "" if text.startswith("<") else text

    def start(self):
        os.mkdir(self.work)
        os.chmod(self.work, 0o777)
        if not os.path.exists(self.spec["binary"]):
            raise Failed(f"{self.spec['binary']} is not built")
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TEST": "1", "HOME": "/root", "LANG": "C",
               **self.spec.get("env", {})}
        if self.variant.startswith("broken"):
            env["TEST_BREAK"] = self.variant[6:]
        self.pid = self.flavour.start([self.spec["binary"], self.work], f"{self.top}/out", env)

    def wait_state(self, round_nr):
        """Waits for the next checkpoint (True) or the end of the test (False)."""
        def there():
            if os.path.exists(f"{self.work}/skipped"):
                raise Skipped(text_of(f"{self.work}/skipped").strip())
            if os.path.exists(self.at("ready", round_nr)):
                return "ready"
            if self.pid in statuses:
                return "over"
            return None
        return wait_for(there, "checkpoint or end of the test") == "ready"

    def dump(self, *more):
        self.images += 1
        self.dir = f"{self.top}/img{self.images}"
        os.mkdir(self.dir)
        argv = [self.criu, "dump", "-t", str(self.pid), "-D", self.dir, "-o", "dump.log", "-v4"]
        return command(argv + self.flavour.dump_options() + self.want["options"] + list(more), f"{self.top}/dump.out")

    def must_dump(self, *more):
        code, text = self.dump(*more)
        if code:
            raise Failed(f"dump failed ({code}): {last_lines(text, 3)}")
        if not os.path.exists(f"{self.dir}/inventory.img"):
            raise Failed("dump left no inventory.img")
        if self.want["decode"] and self.variant == "running":
            self.decode()

    def decode(self):
        code, text = command(["/usr/bin/python3", f"{TESTS}/compat/decode.py", self.dir], f"{self.top}/decode.out")
        if code == 77:
            return
        if code:
            raise Failed(f"crit cannot decode the images: {last_lines(text, 3)}")

    def restore(self):
        argv = [self.criu, "restore", "-d", "-D", self.dir, "-o", "restore.log", "-v4"]
        return command(self.boot() + argv + self.flavour.restore_options() + self.want["restore-options"], f"{self.top}/restore.out")

    def dump_running(self):
        before, others = self.snapshot(), live_pids()
        self.must_dump("--leave-running")
        self.compare(before, "dump --leave-running changed")
        more = live_pids() - others
        if more:
            raise Failed(f"dump left processes: {sorted(more)}")

    def dump_and_restore(self):
        before, pids = self.snapshot(), tree_of(self.pid)
        self.must_dump()
        self.must_be_gone(pids)
        others = live_pids()
        code, text = self.restore()
        if code:
            left = live_pids() - others
            raise Failed(f"restore failed ({code}): {last_lines(text, 3)}" + (f"; it left {left}" if left else ""))
        for pid in pids:
            statuses.pop(pid, None)
        self.pid = self.flavour.restored_root(self.pid)
        self.compare(before, "state differs after restore")
        more = live_pids() - others - set(tree_of(self.pid))
        if more:
            raise Failed(f"restore left processes: {sorted(more)}")

    def must_be_gone(self, pids):
        """The dump must have killed the dumped tree with SIGKILL."""
        wait_for(lambda: self.pid in statuses, "exit of the root task after dump", 5)
        status = statuses.pop(self.pid)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            raise Failed(f"after the dump the root task ended with status {status:#x}, not by SIGKILL")
        wait_for(lambda: not live_pids() & set(pids), f"exit of the dumped tree {pids}", 5)

    def dump_and_restore_thrice(self):
        for _ in range(3):
            self.dump_and_restore()

    def boot(self):
        """Makes the tool see the clocks of an earlier boot, of a later one, and of this one, in turn."""
        up = int(time.clock_gettime(time.CLOCK_BOOTTIME)) // 2
        ahead = (-up, 50000, 0)[(self.images - 1) % 3] if self.want["boots"] == "others" else 0
        return ["/usr/bin/unshare", "--time", f"--monotonic={ahead}", f"--boottime={ahead}"] if ahead else []

    def snapshot(self):
        """Root of a user namespace cannot make shared anonymous memory that has its own name again."""
        found = self.flavour.snapshot(self.pid)
        if not self.spec.get("user-root"):
            return found
        text = json.dumps(found)
        for name, kernels in ("dev/zero", "/dev/zero"), ("anon_hugepage", "/anon_hugepage"):
            text = text.replace(f"/memfd:{name} (deleted)", f"{kernels} (deleted)")
        return json.loads(text)

    def compare(self, before, what):
        diff, until = [], time.monotonic() + self.want["settle"] / 1000
        for n in itertools.count():     # state may be caught in transition: only a persistent difference counts
            diff = differences(before, self.snapshot(), self.want["ignore"])
            if not diff:
                return
            if n >= 4 and time.monotonic() > until:
                break
            time.sleep(0.02)
        raise Failed(f"{what}:\n  " + "\n  ".join(diff[:20]))

    def refused(self):
        before = self.snapshot()
        code, text = self.dump()
        if not code:
            raise Failed("dump succeeded, but should have been refused")
        if not re.search(self.want["refused"], text, re.I):
            raise Failed(f"the error message does not contain /{self.want['refused']}/ on stderr: {last_lines(text, 5)}")
        left = [n for n in os.listdir(self.dir) if n.endswith(".img")]
        if left:
            raise Failed(f"the refused dump left images: {left}")
        self.compare(before, "the refused dump changed")

    def run(self):
        self.start()
        round_nr = 0
        while self.wait_state(round_nr):
            if self.fail_notes():
                raise Failed("before the checkpoint: " + self.fail_notes())
            if self.variant in AT_CHECKPOINT:
                AT_CHECKPOINT[self.variant](self)
            open(self.at("go", round_nr), "w").close()
            round_nr += 1
        code = os.waitstatus_to_exitcode(statuses[self.pid])
        done = text_of(f"{self.work}/done").strip()
        if not round_nr:
            raise Failed(f"exited ({code}) without reaching a checkpoint; {self.fail_notes()}{last_lines(text_of(self.top + '/out'), 3)}")
        if done != "ok" or code:
            raise Failed(f"exit status {code}, done {done!r}\n  " + "\n  ".join(self.fail_notes().splitlines()[:10]))

    def run_broken(self):
        try:
            self.run()
        except Failed:
            if os.path.exists(f"{self.work}/go"):
                return
            raise
        raise Failed("the test passes although its state was corrupted")


# What to do each time the test reaches a checkpoint; nothing for the variants `none` and `brokenN`.
AT_CHECKPOINT = {"running": Kind.dump_running, "restored": Kind.dump_and_restore, "thrice": Kind.dump_and_restore_thrice,
                 "refused": Kind.refused}


def run_spec(spec):
    """-> the result, in the form that outside.py expects"""
    try:
        prepare_namespaces(f"{spec['dir']}/setup.out", net=spec["want"]["net"] == "own")
        kind = Kind(spec)
        (kind.run_broken if spec["variant"].startswith("broken") else kind.run)()
    except Failed as e:
        return {"result": "fail", "why": str(e)}
    except Skipped as e:
        return {"result": "skip", "why": str(e)}
    except Exception as e:  # noqa: BLE001 outside.py prints it
        import traceback
        return {"result": "fail", "why": f"the runner: {e!r}\n{traceback.format_exc()}"}
    return {"result": "pass", "why": ""}


def main(spec_path):
    with open(spec_path) as f:
        spec = json.load(f)
    os.umask(0o022)
    os.closerange(3, 256)
    result = run_spec(spec)
    with open(f"{spec['dir']}/result.tmp", "w") as f:
        json.dump(result, f)
    os.rename(f"{spec['dir']}/result.tmp", f"{spec['dir']}/result")
