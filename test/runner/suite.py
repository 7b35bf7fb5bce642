# SPDX-License-Identifier: GPL-2.0-only
"""Runs the selected tests in parallel, prints their results and the totals."""
import os
import re
import shutil
import sys
import threading
import time

from .outside import run_kind, run_program, show_logs


class Suite:
    def __init__(self, args, base):
        self.args, self.base, self.lock = args, base, threading.Lock()
        self.count = {"pass": 0, "fail": 0, "skip": 0}
        self.failed, self.flaky, self.kept, self.lines, self.made = [], [], [], [], 0

    def directory(self, name):
        with self.lock:
            self.made += 1
            top = f"{self.base}/{self.made}-{re.sub(r'[^a-zA-Z0-9]+', '-', name)}"
        os.mkdir(top)
        os.chmod(top, 0o755)
        return top

    def run_job(self, name, job):
        """-> [(result, name, why)]; prints failures and skips, with --verbose everything."""
        top = self.directory(name)
        began = time.monotonic()
        try:
            results = (run_kind if job["type"] == "kind" else run_program)(self.args, name, job, top)
        except Exception as e:  # noqa: BLE001 one broken test must not end the run
            results = [("fail", name, f"the runner: {e!r}")]
        took = time.monotonic() - began
        failed = any(r[0] == "fail" for r in results)
        with self.lock:
            for result, what, why in results:
                if result != "pass" or self.args.verbose:
                    print(f"{result:4} {what}" + (f" ({took:.1f} s)" if result == "pass" else "") + (f": {why}" if why else ""))
            if failed:
                show_logs(top)
            if failed and self.args.keep:
                print(f"    kept: {top}")
                self.kept.append(top)
            sys.stdout.flush()
        if top not in self.kept:
            shutil.rmtree(top, ignore_errors=True)
        return results

    def add(self, results):
        for result, what, _ in results:
            self.count[result] += 1
            self.lines.append(f"{result} {what}")
            if result == "fail" and what not in self.failed:
                self.failed.append(what)

    def run(self, jobs):
        todo = list(jobs)
        self.second = []

        def work():
            while True:
                with self.lock:
                    if not todo:
                        return
                    name, job = todo.pop(0)
                results = self.run_job(name, job)
                with self.lock:
                    if any(r[0] == "fail" for r in results):
                        self.second.append((name, job, results))
                    else:
                        self.add(results)

        workers = [threading.Thread(target=work) for _ in range(self.args.j)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()

    def run_again(self):
        """A few tests that failed in parallel are run again alone: this distinguishes a busy machine from a broken
        program."""
        for name, job, results in self.second:
            if len(self.second) <= self.args.again:
                print(f"again {name}")
                first, results = results, self.run_job(name, job)
                if not any(r[0] == "fail" for r in results):
                    self.flaky += [what for result, what, _ in first if result == "fail"]
            self.add(results)

    def report(self):
        if self.args.results:
            with open(self.args.results, "w") as f:
                f.write("".join(f"{line}\n" for line in sorted(self.lines)))
        if self.flaky:
            print("flaky (failed once, passed when run again alone): " + " ".join(self.flaky))
        if self.failed:
            print("failed: " + " ".join(self.failed))
        print(f"{self.count['pass']} passed, {self.count['fail']} failed, {self.count['skip']} skipped")
        return 1 if self.count["fail"] else 0
