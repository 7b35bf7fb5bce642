# SPDX-License-Identifier: GPL-2.0-only
"""The program test/fuzz/memory_changes.c and its record, for tests of incremental dumps."""
import os
import struct
from tools import *  # noqa: F403

PROGRAM = f"{BUILD}/test/fuzz/memory_changes"
RECORD, DATA = tmp("record"), tmp("data")
CHANGE, COMPARE, FORK, END = range(4)
PAGE, ARENA, HEAP, STACK, FILE, SHARED, ACTORS = 12, 4096, 128, 24, 256, 64, 3
HEAD = 4 + 4 + 4 + 4 + 256 + 4 + 4 + 4 + PAGE * (FILE + SHARED)
ACTOR = 16 + PAGE * (ARENA + HEAP + STACK)


class Program:
    """The record, as the program has it, and the command in it."""

    def __init__(self, seed):
        for path in (RECORD, DATA):
            if os.path.exists(path):
                os.unlink(path)
        self.pid = spawn([PROGRAM, RECORD, DATA, str(seed)])
        self.number = 0
        wait_for(lambda: os.path.exists(RECORD) and os.path.getsize(RECORD) >= HEAD + ACTORS * ACTOR and self.actors(), "the program", 60)
        self.record = os.open(RECORD, os.O_RDWR)

    def word(self, offset, form="I"):
        with open(RECORD, "rb") as f:
            f.seek(offset)
            return struct.unpack(form, f.read(struct.calcsize(form)))[0]

    def actors(self):
        return [i for i in range(ACTORS) if self.word(HEAD + i * ACTOR)]

    def send(self, command, count=0):
        self.number += 1
        os.pwrite(self.record, struct.pack("II", command, count), 4)
        os.pwrite(self.record, struct.pack("I", self.number), 0)

    def is_done(self):
        return all(self.word(HEAD + i * ACTOR + 4) == self.number for i in self.actors())

    def state(self):
        """For messages: of each process, the number it has executed, its state and call; the lock."""
        each = []
        for i in self.actors():
            pid = self.word(HEAD + i * ACTOR)
            status = text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()[:2]
            each.append((i, pid, self.word(HEAD + i * ACTOR + 4), status, text_of(f"/proc/{pid}/syscall").strip(), text_of(f"/proc/{pid}/wchan")))
        return f"lock {self.word(272)}, command {self.word(4)}, {each}"

    def wait(self):
        try:
            wait_for(lambda: self.is_done() or self.word(12), f"command {self.number}", 60)
        except Failed as e:
            raise Failed(f"{e}: {self.state()}")
        if self.word(12):
            raise Failed(self.word(16, "256s").split(b"\0")[0].decode())

    def do(self, command, count=0):
        self.send(command, count)
        self.wait()


def trackers():
    reap()
    return [p for p in live_pids() if text_of(f"/proc/{p}/comm").strip() == "criu-tracker" and alive(p)]
