# SPDX-License-Identifier: GPL-2.0-only
"""Part of test/bench/run: a container with all namespaces but those of users, beside the shortest program that makes one."""
import os
import shutil
import signal
import subprocess
import time


def make(bench, mounts, pairs):
    """-> (pid of its init, its root directory, seconds that making it takes)"""
    bench.rounds += 1
    root = f"{bench.dir}/root{bench.rounds}"
    os.mkdir(root)
    program = f"{bench.args.build}/test/bench/container"
    shutil.copy(program, root)
    out = subprocess.run([program, root, str(mounts), str(pairs)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                         start_new_session=True, timeout=60)
    pid, took = out.stdout.split()
    return int(pid), root, float(took)


def cycle(bench, mounts, pairs):
    """-> seconds: making, dump, frozen, restore"""
    pid, root, limit = make(bench, mounts, pairs)
    dump = bench.dump(pid)
    frozen = bench.frozen()
    bench.reap([pid])
    pidfile = f"{bench.images}/pid"
    restore = bench.restore("--root", root, "--pidfile", pidfile)
    with open(pidfile) as f:
        pid = int(f.read())
    os.kill(pid, signal.SIGKILL)
    bench.reap([pid])
    return limit, dump, frozen, restore


AT_ONCE = 20


def at_once(bench):
    """Many are restored from one directory of images at the same time -> seconds: one of them alone, all"""
    pid, root, _ = make(bench, 5, 1)
    bench.dump(pid)
    bench.reap([pid])
    return restore_some(bench, root, 1), restore_some(bench, root, AT_ONCE)


def restore_some(bench, root, number):
    """-> seconds until the last one is there"""
    works = [f"{bench.dir}/work{n}" for n in range(number)]
    for work in works:
        os.makedirs(work, exist_ok=True)
    start = time.monotonic()
    tools = [subprocess.Popen([bench.criu, "restore", "-d", "-D", bench.images, "-W", work, "-o", "restore.log", "--root", root,
                               "--pidfile", "pid"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for work in works]
    codes = [tool.wait(60) for tool in tools]
    took = time.monotonic() - start
    if any(codes):
        raise RuntimeError(f"{number} restores at once: exit statuses {codes}")
    pids = []
    for work in works:
        with open(f"{work}/pid") as f:
            pids.append(int(f.read()))
        os.unlink(f"{work}/pid")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    bench.reap(pids)
    return took


def part(bench, row, median):
    rounds = 3 if bench.args.quick else 11
    limit, dump, frozen, restore = (median(v) for v in zip(*(cycle(bench, 5, 1) for _ in range(rounds))))
    row("making a container: 11 mounts, a veth pair", limit)
    row("dump of it", dump, dump / limit, 10)
    row("frozen", frozen, frozen / limit, 10)
    row("restore of it", restore, restore / limit, 10)
    one, many = (median(v) for v in zip(*(at_once(bench) for _ in range(3 if bench.args.quick else 7))))
    row(f"{AT_ONCE} of them restored at once", many, many / (AT_ONCE * one / (os.cpu_count() or 1)), 1,
        f"of {AT_ONCE} times one, {one * 1e3:.2f} ms, by the number of CPUs")
    if bench.args.quick:
        return
    for mounts, pairs in ((200, 1), (5, 50)):
        limit, dump, _, restore = (median(v) for v in zip(*(cycle(bench, mounts, pairs) for _ in range(3))))
        what = f"{mounts + 6} mounts, {pairs} veth pairs"
        row(f"making one: {what}", limit)
        row("dump of it", dump, dump / limit, 10)
        row("restore of it", restore, restore / limit, 10)
