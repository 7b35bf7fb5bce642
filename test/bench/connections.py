# SPDX-License-Identifier: GPL-2.0-only
"""Part of test/bench/run: a server with many live connections, whose clients keep running; how long the network is
locked."""
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import time


def own_network():
    """From here on the benchmark has its own network namespace."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))    # SIOCSIFFLAGS: up, running


def start(bench, count):
    home = f"{bench.dir}/connections"
    shutil.rmtree(home, ignore_errors=True)
    os.mkdir(home)
    clients = subprocess.Popen([f"{bench.args.build}/test/bench/connections", "7000", str(count)], cwd=home, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, start_new_session=True)
    bench.targets.append(clients)
    while not os.path.exists(f"{home}/ready"):
        if clients.poll() is not None:
            raise RuntimeError(f"connections {count} exited with {clients.returncode}")
        time.sleep(0.005)
    with open(f"{home}/ready") as f:
        return clients, int(f.read())


def cycle(bench, count):
    """-> seconds: dump, restore, frozen by --leave-running"""
    clients, server = start(bench, count)
    bench.dump(server, "--leave-running", "--tcp-established")
    frozen = bench.frozen()
    dump = bench.dump(server, "--tcp-established")
    bench.reap([server])
    restore = bench.restore("--tcp-established")
    clients.send_signal(signal.SIGUSR1)
    if clients.wait(timeout=60):
        raise RuntimeError(f"{count} connections: not every byte was echoed")
    bench.targets.remove(clients)
    bench.end(server)
    return dump, restore, frozen


def part(bench, row, median):
    own_network()
    count = 100 if bench.args.quick else 1000
    rounds = 3
    once, twice = ([median(v) for v in zip(*(cycle(bench, n) for _ in range(rounds)))] for n in (count, 2 * count))
    for i, what in enumerate(("dump", "restore", "frozen: --leave-running")):
        row(f"{what} of {count} connections", once[i], twice[i] / once[i], 2.2,
            f"{once[i] / count * 1e6:.1f} us each; the ratio is for twice as many")
    row(f"network locked, {count} connections", once[0] + once[1], (once[0] + once[1]) / 1, 1, "of 1 s: dump and restore at once")
