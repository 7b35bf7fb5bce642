# SPDX-License-Identifier: GPL-2.0-only
"""Parts of test/bench/run: what a migration consists of (incremental dumps, streams, compression, memory that is written once), and whole
ones, between this system and a pid and mount namespace."""
import os
import re
import resource
import shutil
import signal
import subprocess
import time

# In seconds: frozen by a dump after a pre-dump, and per GiB written since.
FROZEN_BASE, FROZEN_PER_GIB = 0.005, 0.060
INCREMENTAL_GOAL = 1.3


class Dirty:
    """The program test/bench/dirty."""

    def __init__(self, bench, mib, rate):
        self.file = f"{bench.dir}/dirty{bench.rounds}-{rate}-{time.monotonic_ns()}"
        self.proc = subprocess.Popen([f"{bench.args.build}/test/bench/dirty", str(mib), str(rate), self.file], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        bench.targets.append(self.proc)
        self.bench, self.pid = bench, self.proc.pid
        self.wait(lambda seen: seen[2] > 0)

    def seen(self):
        """-> longest time away, times written, count"""
        try:
            with open(self.file) as f:
                longest, told, count = f.read().split()
            return float(longest), int(told), int(count)
        except (OSError, ValueError):
            return 0.0, 0, 0

    def wait(self, condition):
        until = time.monotonic() + 120
        while not condition(self.seen()):
            if time.monotonic() > until:
                raise RuntimeError("the program makes no progress")
            time.sleep(0.002)

    def write_an_eighth(self):
        told = self.seen()[1]
        os.kill(self.pid, signal.SIGUSR1)
        self.wait(lambda seen: seen[1] > told)

    def gone(self):
        """A dump has ended it."""
        self.bench.targets.remove(self.proc)
        self.proc.wait()

    def goes_on(self):
        """After a restore, at whatever host."""
        count = self.seen()[2]
        self.wait(lambda seen: seen[2] > count)

    def end(self):
        """After a restore."""
        self.goes_on()
        self.bench.end(self.pid)


def size_of(folder):
    return sum(e.stat().st_size for e in os.scandir(folder) if e.name.startswith("pages-"))


def mib_of(bench):
    return 256 if bench.args.quick else 1024


def copy_limit(bench, mib):
    file = f"{bench.dir}/limit"
    took = bench.limit("copy", file, str(mib))
    os.truncate(file, 0)
    return took


def incremental(bench, row, median):
    """A pre-dump of everything, and dumps after an eighth of it has been written each time."""
    mib = mib_of(bench)
    limits, firsts, lasts, frozen, restores = [], [], [], [], []
    for _ in range(3):
        limits.append(copy_limit(bench, mib))
        target = Dirty(bench, mib, 0)
        bench.fresh_images()
        first, last = f"{bench.images}/first", f"{bench.images}/last"
        os.mkdir(first)
        os.mkdir(last)
        firsts.append(bench.run("pre-dump", "-D", first, "-t", str(target.pid), "--track-mem"))
        target.write_an_eighth()
        lasts.append(bench.run("dump", "-D", last, "-t", str(target.pid), "--prev-images-dir", "../first", "--leave-running"))
        bench.images = last
        frozen.append(bench.frozen())
        target.proc.kill()
        target.gone()
        restores.append(bench.restore())
        target.end()
        bench.images = first
        bench.fresh_images()
        os.truncate(f"{last}/pages-1.img", 0)
    row(f"{mib} MiB into a fresh file, two threads", median(limits))
    row(f"pre-dump of {mib} MiB", median(firsts), median(firsts) / median(limits), INCREMENTAL_GOAL)
    row(f"dump after it, {mib // 8} MiB written since", median(lasts), median(lasts) / (median(limits) / 8))
    goal = FROZEN_BASE + FROZEN_PER_GIB * mib / 8 / 1024
    row("restore of both", median(restores))
    row("frozen by that dump", median(frozen), median(frozen) / goal, 1, f"of {goal * 1e3:.1f} ms")


def stream(bench, row, median):
    """Through a pipe, into a file by cat."""
    mib = mib_of(bench)
    limits, dumps, plain, restores = [], [], [], []
    for _ in range(3):
        limits.append(copy_limit(bench, mib))
        target = Dirty(bench, mib, 0)
        bench.fresh_images()
        file = f"{bench.images}/stream"
        command = f"{bench.criu} dump -t {target.pid} --stream - -o /dev/null -D {bench.images} | cat > {file}"
        dumps.append(timed(command))
        target.gone()
        restores.append(timed(f"cat {file} | {bench.criu} restore -d --stream - -o /dev/null -D {bench.images}"))
        target.end()
        os.truncate(file, 0)
        target = Dirty(bench, mib, 0)
        bench.dump(target.pid)
        target.gone()
        plain.append(bench.restore())
        target.end()
    row(f"{mib} MiB into a fresh file, two threads", median(limits))
    row(f"dump of {mib} MiB, stream into a file by cat", median(dumps), median(dumps) / median(limits),
        note=f"{mib / 1024 / median(dumps):.2f} GiB/s")
    row(f"restore of {mib} MiB, images", median(plain))
    row("... from a stream by cat", median(restores), median(restores) / median(plain))


def timed(command):
    """A line for bash, all parts of which have to succeed -> seconds"""
    start = time.monotonic()
    got = subprocess.run(["bash", "-c", "set -o pipefail; " + command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, timeout=600, check=False)
    if got.returncode:
        raise RuntimeError(f"{command}: {got.stdout.decode(errors='replace')[-500:]}")
    return time.monotonic() - start


def compress(bench, row, median):
    """Beside the same without it, in turn; a slow disk, where compression pays, is not measured but named."""
    mib = mib_of(bench)
    ways = {"": [], "lz4": [], "zstd": []}
    sizes = {}
    for _ in range(3):
        for way, got in ways.items():
            target = Dirty(bench, mib, 0)
            took = bench.dump(target.pid, *([f"--compress={way}"] if way else []))
            target.gone()
            sizes[way] = size_of(bench.images)
            got.append((took, bench.restore()))
            target.end()
    plain = [median([pair[i] for pair in ways[""]]) for i in (0, 1)]
    row(f"dump of {mib} MiB, not compressed", plain[0], note=f"{sizes[''] >> 20} MiB")
    row("restore of it", plain[1])
    for way in ("lz4", "zstd"):
        dump, restore = (median([pair[i] for pair in ways[way]]) for i in (0, 1))
        # The disk with which both take as long: the bytes saved, in the time that it takes longer.
        saved = (sizes[""] - sizes[way]) / 1e6
        row(f"dump with {way}", dump, dump / plain[0], note=f"{sizes[way] >> 20} MiB, {sizes[''] / max(sizes[way], 1):.2f} times smaller; "
            + (f"pays below {saved / (dump - plain[0]):.0f} MB/s of disk" if dump > plain[0] else "pays always"))
        row(f"restore with {way}", restore, restore / plain[1],
            note=f"pays below {saved / (restore - plain[1]):.0f} MB/s of disk" if restore > plain[1] else "pays always")


def processor_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def page_checksums(bench, row, median):
    """Beside the same without them, in turn."""
    mib = mib_of(bench)
    got = {"": [], "--page-checksums": []}
    for _ in range(5):
        for way, times in got.items():
            target = Dirty(bench, mib, 0)
            before = processor_time()
            took = bench.dump(target.pid, *([way] if way else []))
            used = processor_time() - before
            target.gone()
            times.append((took, used, bench.restore()))
            target.end()
    plain, sums = ([median([one[i] for one in times]) for i in range(3)] for times in got.values())
    row(f"dump of {mib} MiB", plain[0])
    row("with --page-checksums", sums[0], sums[0] / plain[0])
    row("... its processor time", sums[1], sums[1] / plain[1])
    row("restore, which compares them", sums[2], sums[2] / plain[2])


def share_pages(bench, row, median):
    """Memory that five processes share after fork."""
    mib = 64 if bench.args.quick else 512
    got, sizes = {"": [], "--share-pages": []}, {}
    for _ in range(3):
        for way, times in got.items():
            proc = bench.target("forked", mib)
            took = bench.dump(proc.pid, *([way] if way else []))
            bench.targets.remove(proc)
            bench.reap([proc.pid])
            sizes[way] = size_of(bench.images)
            times.append((took, bench.restore()))
            bench.end(proc.pid)
    for i, what in enumerate(("dump", "restore")):
        plain, shared = (median([pair[i] for pair in got[way]]) for way in ("", "--share-pages"))
        row(f"{what} of {mib} MiB shared by 5 tasks", plain, note=f"{sizes[''] >> 20} MiB")
        row("... with --share-pages", shared, shared / plain, note=f"{sizes['--share-pages'] >> 20} MiB")


class Host:
    """The other one: a pid and mount namespace, and what is used in the place of ssh."""

    def __init__(self, bench):
        self.bench = bench
        init = "import signal, time; signal.signal(signal.SIGCHLD, signal.SIG_IGN); time.sleep(100000)"
        self.maker = subprocess.Popen(["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", "python3", "-c", init],
                                      stdin=subprocess.DEVNULL)
        bench.targets.append(self.maker)
        children = f"/proc/{self.maker.pid}/task/{self.maker.pid}/children"
        while not (found := open(children).read().split()):
            time.sleep(0.01)
        while open(f"/proc/{found[0]}/cmdline").read().startswith("unshare"):
            time.sleep(0.01)
        self.init = int(found[0])
        # Our programs get numbers that are free there.
        with open("/proc/sys/kernel/ns_last_pid", "w") as f:
            f.write("20000")
        self.rsh = f"{bench.dir}/rsh"
        with open(self.rsh, "w") as f:
            f.write(f'#!/bin/sh\nshift\nexec nsenter -t {self.init} -p -m -- sh -c "$*"\n')
        os.chmod(self.rsh, 0o755)

    def run(self, command):
        return subprocess.run([self.rsh, "host", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=600, check=True).stdout.decode()

    def end_all(self):
        """All processes there but its init."""
        self.run(f"kill -9 $(ls /proc | grep '^[0-9][0-9]*$' | grep -vx -e 1 -e $$) 2> /dev/null; true")

    def close(self):
        self.maker.kill()
        self.maker.wait()
        self.bench.targets.remove(self.maker)


def place_for_images(bench, mib):
    """In memory, so that the speed of a disk is not what is measured."""
    stat = os.statvfs("/dev/shm")
    if stat.f_bavail * stat.f_frsize > 4 * mib << 20:
        return f"/dev/shm/{os.path.basename(bench.dir)}"
    return f"{bench.dir}/moved"


def one_migration(bench, host, place, mib, rate, options):
    """-> downtime as the program has seen it, total time, MiB sent"""
    program = f"{bench.args.build}/criu-migrate"
    for side in ("here", "there"):
        os.makedirs(f"{place}/{side}", exist_ok=True)
    target = Dirty(bench, mib, rate)
    os.kill(target.pid, signal.SIGUSR2)
    time.sleep(0.3)
    start = time.monotonic()
    got = subprocess.run(["python3", program, str(target.pid), "host", "--rsh", host.rsh, "--criu", bench.criu, "--remote-criu", bench.criu,
                          "--remote-program", program, "--dir", f"{place}/here", "--remote-dir", f"{place}/there", *options],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False)
    total = time.monotonic() - start
    text = got.stdout.decode(errors="replace")
    if got.returncode:
        raise RuntimeError(f"criu-migrate {' '.join(options)}: {text[-600:]}")
    target.goes_on()
    downtime = target.seen()[0]
    host.end_all()
    if target.proc in bench.targets:
        target.gone()
    sent = re.findall(r"([\d.]+) ([MG])iB in all", text)
    return downtime, total, float(sent[-1][0]) * (1024 if sent[-1][1] == "G" else 1) if sent else 0


def rsync(host, place, mib):
    """Of a file with as much in it as the program -> seconds; None: not installed."""
    if not shutil.which("rsync"):
        return None
    os.makedirs(place, exist_ok=True)
    with open(f"{place}/file", "wb") as f:
        for _ in range(mib):
            f.write(os.urandom(1 << 20))
    start = time.monotonic()
    subprocess.run(["rsync", "--whole-file", "--rsh", host.rsh, f"{place}/file", f"host:{place}/copy"], stdin=subprocess.DEVNULL, check=True,
                   timeout=600)
    took = time.monotonic() - start
    for name in ("file", "copy"):
        os.unlink(f"{place}/{name}")
    return took


def migrate(bench, row, median):
    """The downtime is the longest time between two steps of the program, which takes one per millisecond."""
    mib = mib_of(bench)
    host, place = Host(bench), place_for_images(bench, mib)
    try:
        limit = median([bench.limit("send", f"{place}.limit", str(mib)) for _ in range(3)])
        row(f"{mib} MiB sent on this host, into a fresh file", limit)
        took = rsync(host, place, mib)
        if took:
            row(f"rsync of a file of {mib} MiB", took, took / limit)
        for rate in (0, 100, 400):
            for name, options in (("plain", []), ("pre-copy", ["--pre-copy", "auto"]), ("lazy", ["--lazy"])):
                got = [one_migration(bench, host, place, mib, rate, options) for _ in range(1 if bench.args.quick else 3)]
                downtime, total, sent = (median([g[i] for g in got]) for i in range(3))
                row(f"migration, {rate} MB/s written, {name}: downtime", downtime, downtime / limit)
                row("... total", total, total / limit, note=f"{sent:.0f} MiB" if sent else "")
    finally:
        host.close()
        for path in (f"{place}.limit", place):
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.exists(path):
                os.unlink(path)


PARTS = {"incremental": incremental, "stream": stream, "compress": compress, "page_checksums": page_checksums, "share_pages": share_pages, "migrate": migrate}
