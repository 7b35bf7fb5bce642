#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Init of the emulated machine of other_kernel: runs the cases that its host has put into the file `plan` of the shared directory, and writes
a line for each into `results`.
"""
import ctypes
import json
import os
import sys
import time
sys.dont_write_bytecode = True
SHARE = "/mnt"
with open(f"{SHARE}/plan") as f:
    plan = json.load(f)
os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
sys.path[:0] = [plan["tests"] + "/apps", plan["tests"]]
import kernel_cases as cases  # noqa: E402
import runner  # noqa: E402

RESULTS = f"{SHARE}/results"


def wait_for_go():
    """The host has seen how fast this machine is -> what follows from it."""
    while not os.path.exists(f"{SHARE}/go"):
        time.sleep(0.1)
    with open(f"{SHARE}/go") as f:
        return json.load(f)


def case(name, kind, work, flavour="host"):
    if time.monotonic() - began > go["seconds"]:
        cases.put_result(RESULTS, name, ["skip", f"too slow: not begun within {go['seconds']:.0f} s"])
        return
    at = time.monotonic()
    top = f"{plan['top']}/{name.replace(' ', '-')}"
    one = cases.Case(kind, top, plan["build"], plan["criu"], flavour)
    result = cases.outcome(lambda: work(one))
    if result[0] == "fail":
        for log in ("dump.log", "restore.log"):
            result.append(runner.text_of(f"{top}/img1/{log}")[-3000:])
    cases.put_result(RESULTS, name, [*result[:2], time.monotonic() - at, *result[2:]])
    for pid in runner.live_pids() - before - {1}:
        if os.path.exists(f"/proc/{pid}/exe"):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass


def drop_capabilities():
    """A task that has more of them than the other machine gives cannot go there."""
    libc = ctypes.CDLL(None)
    for n in range(64):
        if not plan["capabilities"] >> n & 1:
            libc.prctl(24, n, 0, 0, 0)      # PR_CAPBSET_DROP


def main():
    drop_capabilities()
    runner.prepare_namespaces("/run/setup.out", net=True)
    for kind, flavour in plan["alone"]:
        case(f"alone {kind}", kind, lambda one: one.run(), flavour)
    for kind in plan["come"]:
        case(f"to it {kind}", kind, lambda one: one.arrive(f"{SHARE}/here/{one.name}"))
    for kind, last, reason in plan["newer"]:
        if cases.version() <= tuple(last):
            case(f"refused {kind}", kind, lambda one: one.is_refused(f"{SHARE}/here/{one.name}", reason))
    # Numbers that the other machine has not got in use.
    with open("/proc/sys/kernel/ns_last_pid", "w") as f:
        f.write("9000")
    for kind in plan["leave"]:
        case(f"from it {kind}", kind, lambda one: one.leave(f"{SHARE}/there/{one.name}"))


before = runner.live_pids()
cases.put_result(RESULTS, "up", ["pass", os.uname().release])
go = wait_for_go()
runner.processes.PATIENCE = go["patience"]
began = time.monotonic()
try:
    main()
except BaseException as e:  # noqa: BLE001 the host reports it
    cases.put_result(RESULTS, "the machine", ["fail", repr(e)])
cases.put_result(RESULTS, "end", ["pass", ""])
os.sync()
ctypes.CDLL(None).reboot(0x4321fedc)
time.sleep(100)
