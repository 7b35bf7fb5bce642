# SPDX-License-Identifier: GPL-2.0-only
"""A program with many pages, each with a word of its own, that writes to those that it is told to, and says what it has."""
import os
import sys
from tools import exit_of, put, sh, spawn, text_of, tmp, wait_for, want

# Writes a counter to a page of its memory when it is told to, and reports what all of them are.
PROGRAM = """
import fcntl, mmap, os, sys, time
N = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
m = mmap.mmap(-1, N * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for i in range(N):
    m[i * 4096:i * 4096 + 8] = b"%08d" % i
def answer(text):
    with open("answer.new", "w") as f:
        f.write(text)
    os.rename("answer.new", "answer")
answer("ready")
while True:
    try:
        words = open("order").read().split()
        os.unlink("order")
    except OSError:
        time.sleep(0.002)
        continue
    if words[0] == "write":
        for i in range(int(words[1]), int(words[2])):
            m[i * 4096:i * 4096 + 8] = words[3].encode()
        answer("written")
    elif words[0] == "scatter":
        for i in range(0, N, 2):
            m[i * 4096:i * 4096 + 8] = b"scatter."
        answer("written")
    elif words[0] == "clear":
        for i in range(int(words[1]), int(words[2])):
            m[i * 4096:i * 4096 + 4096] = bytes(4096)
        answer("written")
    elif words[0] == "sum":
        answer(" ".join(m[i * 4096:i * 4096 + 8].decode() for i in range(N)))
    elif words[0] == "exec":
        os.execv(sys.executable, [sys.executable] + sys.argv)
    elif words[0] == "fork":
        pid = os.fork()
        if not pid:
            m[0:8] = b"child!!!"
            time.sleep(1000)
        answer(str(pid))
    elif words[0] == "lock":
        locked = open("locked", "w")
        fcntl.flock(locked, fcntl.LOCK_EX)
        answer("locked")
    elif words[0] == "unlock":
        locked.close()
        answer("unlocked")
    elif words[0] == "exit":
        os._exit(0)
"""


class Guest:
    def __init__(self, pages=1024):
        sh(f"rm -f {tmp('order')} {tmp('answer')}")
        self.pages = pages
        self.memory = [f"{i:08d}" for i in range(pages)]
        self.pid = spawn([sys.executable, put("program.py", PROGRAM), str(pages)])
        wait_for(lambda: text_of(tmp("answer")) == "ready", "the program", 60)

    def ask(self, order):
        sh(f"rm -f {tmp('answer')}")
        put("order.new", order)
        os.rename(tmp("order.new"), tmp("order"))
        if order == "exit":
            return exit_of(self.pid)
        wait_for(lambda: os.path.exists(tmp("answer")), f"the answer to {order}", 30)
        return text_of(tmp("answer"))

    def write(self, start, end, text):
        text = text.ljust(8, ".")
        self.ask(f"write {start} {end} {text}")
        self.memory[start:end] = [text] * (end - start)

    def check(self):
        got = self.ask("sum").split()
        bad = [i for i in range(self.pages) if got[i] != self.memory[i]]
        want(not bad, f"{len(bad)} pages are wrong, the first is {bad[0] if bad else ''}: {got[bad[0]] if bad else ''}")
