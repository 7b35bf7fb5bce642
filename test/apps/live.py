# SPDX-License-Identifier: GPL-2.0-only
"""Servers with clients outside the tree, which check every response while the server is dumped and restored."""
import random
import socket
import threading
from tools import *  # noqa: E402,F403

TCP = ("--tcp-established",)
# None: the server keeps running; a number: it is away for this many seconds.
AWAY = (None, 0, 0, 1)


class Stop(Exception):
    pass


class Clients:
    """Each client is a thread that runs work(tick), which calls tick() after every correct response; tick() ends the
    thread when the test ends."""

    def __init__(self):
        self.errors, self.ticks, self.threads, self.stopping, self.over = [], {}, [], threading.Event(), {}

    def add(self, name, work, *args):
        """work may return a function to be called at the end, after the last restore."""
        def body():
            try:
                work(lambda: self.tick(name), *args)
                self.errors.append(f"{name}: ended prematurely")
            except Stop:
                pass
            except Exception as e:  # noqa: BLE001 reported by the main thread
                self.errors.append(f"{name}: {e!r} after {self.ticks[name]} answers")
        self.ticks[name] = 0
        self.threads.append(threading.Thread(target=body, name=name, daemon=True))

    def tick(self, name):
        self.ticks[name] += 1
        if self.stopping.is_set():
            raise Stop

    def check(self):
        want(not self.errors, "; ".join(self.errors[:3]))

    def all_continue(self, when):
        """Every client gets at least two more correct responses: the first one may have been in transit already."""
        was = dict(self.ticks)
        try:
            wait_for(lambda: self.errors or all(self.ticks[k] >= was[k] + 2 for k in was), "answers", 60)
        except Failed:
            late = [k for k in was if self.ticks[k] < was[k] + 2]
            raise Failed(f"{when}: no answers for {late}; {self.errors[:2]}") from None
        self.check()

    def start(self):
        for thread in self.threads:
            thread.start()
        self.all_continue("at the start")

    def end(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            want(not thread.is_alive(), f"{thread.name}: hangs")
        self.check()


def dump_when_possible(pid, *options):
    """Transient state (a connection not accepted yet) makes a dump fail: the tree keeps running, and the dump is tried
    again."""
    for _ in range(100):
        try:
            return dump(pid, *options)
        except Failed as e:
            if "not accepted yet" not in str(e):
                raise
            time.sleep(random.uniform(0.01, 0.1))    # not in step with connecting clients
    raise Failed("there is an unaccepted connection at every attempt to dump")


def serve(name, begin, verify=None, options=TCP, away=AWAY, restore_options=None):
    """begin(clients) starts the server -> pid of the root, and adds clients; verify(pid) checks the server at the
    end."""
    clients = Clients()
    try:
        pid = begin(clients)
        clients.start()
        for pause in () if os.environ.get("SELF_CHECK") else away:
            when = "left running" if pause is None else f"away for {pause} s"
            if pause is None:
                dump_when_possible(pid, "--leave-running", *options)
            else:
                tree = tree_of(pid)
                images = dump_when_possible(pid, *options)
                gone(tree)
                time.sleep(pause)
                restore(images, *(options if restore_options is None else restore_options))
            clients.all_continue(when)
        clients.end()
        if verify:
            verify(pid)
        ok(name, True)
    except Failed as e:
        clients.stopping.set()
        ok(name, False, f"{e}; {clients.errors[:2]}")
    end_all()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), 60)
    s.settimeout(60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def equal(got, expected, what):
    if got != expected:
        raise Failed(f"{what}: {str(got)[:200]!r} instead of {str(expected)[:200]!r}")
