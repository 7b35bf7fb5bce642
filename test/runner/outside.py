# SPDX-License-Identifier: GPL-2.0-only
"""Runs one test from outside: a kind test in its own namespaces (inside.py), or a program that prints its cases."""
import functools
import glob
import json
import os
import re
import signal
import subprocess
import sys

from .flavours import unshare_words
from .jobs import DUMPING, ROOT, TESTS
from .processes import last_lines, text_of
from .user_root import FIRST


@functools.cache
def no_user_root():
    """Why the tests in a user namespace cannot run; "": they can."""
    argv = ["/usr/bin/python3", f"{TESTS}/runner/user_root.py", *unshare_words(), "/bin/true"]
    got = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return last_lines(got.stdout.decode(errors="replace"), 1) or f"status {got.returncode}" if got.returncode else ""


def run_kind(args, name, job, top):
    condition = job["want"]["skip"]
    if condition and subprocess.run(["/bin/sh", "-c", condition], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    env={**os.environ, "CRIU": args.criu}).returncode:
        return [("skip", name, f"needs: {condition}")]
    if job.get("user-root") and no_user_root():
        return [("skip", name, f"root of a user namespace cannot have namespaces of its own here: {no_user_root()}")]
    if job["variant"] in DUMPING + ("refused",) and not os.access(args.criu, os.X_OK):
        return [("fail", name, f"{args.criu} is not built")]
    with open(f"{top}/spec", "w") as f:
        json.dump({**job, "dir": top, "criu": args.criu}, f)
    # Another python may be one of root's, in a directory that only root may read.
    python = "/usr/bin/python3" if job.get("user-root") else sys.executable
    argv = unshare_words(net=job["want"]["net"] == "own") + [python, f"{TESTS}/run", "--inside", f"{top}/spec"]
    if job.get("user-root"):
        argv = [python, f"{TESTS}/runner/user_root.py", *argv]
        os.chown(top, FIRST, FIRST)
    with open(f"{top}/runner.out", "wb") as out:
        proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            proc.wait(job["timeout"] + 5)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()
            notes = text_of(f"{top}/work/failed")
            return [("fail", name, f"timeout after {job['timeout']} s" + ("" if notes.startswith("<") else f"; {notes}"))]
    try:
        with open(f"{top}/result") as f:
            got = json.load(f)
    except (OSError, ValueError):
        return [("fail", name, "the inner runner died: " + last_lines(text_of(f"{top}/runner.out"), 5))]
    return [(got["result"], name, got["why"])]


def run_program(args, name, job, top):
    env = {**os.environ, "BUILD": args.build, "CRIU": args.criu, "TEST_TMP": f"{top}/tmp", "ROOT": ROOT, **job.get("env", {})}
    out_path = f"{top}/out"
    if not os.access(job["binary"], os.X_OK):
        return [("fail", name, f"{job['binary']} is not built")]
    os.mkdir(f"{top}/tmp")
    with open(out_path, "wb") as out:
        proc = subprocess.Popen([job["binary"]], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=f"{top}/tmp",
                                env=env, start_new_session=True)
        try:
            code = proc.wait(job["timeout"])
        except subprocess.TimeoutExpired:
            os.killpg(proc.pid, signal.SIGKILL)
            proc.wait()
            code = None
    text = text_of(out_path)
    end = f"timeout after {job['timeout']} s" if code is None else f"exit status {code}"
    if code == 77:
        return [("skip", name, last_lines(text, 1))]
    results, plan = [], None
    for line in text.splitlines():
        m = re.match(r"(not )?ok (\S[^:]*)(?::\s*(.*))?$", line)
        if m and not m[1]:
            results.append(("pass", f"{name}/{m[2].strip()}", ""))
        elif m:
            results.append(("fail", f"{name}/{m[2].strip()}", m[3] or ""))
        elif line.startswith("skip "):
            what, _, why = line[5:].partition(":")
            results.append(("skip", f"{name}/{what.strip()}", why.strip()))
        elif re.match(r"1\.\.\d+$", line):
            plan = int(line[3:])
    if code != 0 and not any(r[0] == "fail" for r in results):
        results.append(("fail", name, f"{end}: {last_lines(text, 15)}"))
    cases = sum(r[0] != "skip" for r in results)
    if code == 0 and (plan != cases or not results):
        results.append(("fail", name, f"stopped early: {cases} cases, " +
                        ("no line `1..N` at the end of the output" if plan is None else f"{plan} expected") + f": {last_lines(text, 3)}"))
    return results


def show_logs(top):
    for path in sorted(glob.glob(f"{top}/img*/*.log") + glob.glob(f"{top}/tmp/img*/*.log") + glob.glob(f"{top}/*.out") + [f"{top}/out"]):
        text = text_of(path).strip()
        if text and not text.startswith("<"):
            lines = text.splitlines()
            print(f"    --- {os.path.relpath(path, top)} (last {min(len(lines), 12)} of {len(lines)} lines)")
            for line in lines[-12:]:
                print(f"    {line[:300]}")
