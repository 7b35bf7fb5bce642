# SPDX-License-Identifier: GPL-2.0-only
"""What a lazy migration sends, once its restore begins: pages and requests for them, beside what each side has to know."""
import os
import select
import struct
import time

BEAT, SILENCE = 5, 30       # s between signs of life; without one for so long, the connection is lost
CHUNK = 1 << 18
HEAD = struct.Struct(">cI")

DATA = b"D"         # between the dump and the daemon of lazy pages
PREPARE = b"P"      # the target has all pages, and asks
PREPARED = b"A"     # the source: from now on the copy is not ended if the connection is lost
RUNS = b"R"         # the target: the tree runs
END = b"E"          # the sender's side has failed; with the reason. From the target: nothing runs there. From the source: its tree
                    # was not ended by a CLOSE, and will not be
COMPLETE = b"C"     # the target
BYE = b"F"          # the source has learnt that
LIVES = b"B"


class Stream:
    """Bytes in and out, without waiting."""

    def __init__(self, reader, writer=None):
        self.input, self.output = reader, reader if writer is None else writer
        self.unsent = bytearray()
        self.ended = False
        for fd in {self.input, self.output}:
            os.set_blocking(fd, False)

    def read(self):
        try:
            data = os.read(self.input, CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.ended = self.ended or not data
        return data

    def write(self, data=b""):
        self.unsent += data
        try:
            while self.unsent:
                del self.unsent[:os.write(self.output, self.unsent[:CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
            self.unsent.clear()

    def watch(self, poll, reads=True):
        wanted = {self.output: select.POLLOUT} if self.unsent else {}
        if reads and not self.ended:
            wanted[self.input] = wanted.get(self.input, 0) | select.POLLIN
        for fd, events in wanted.items():
            poll.register(fd, events)


class Link(Stream):
    """A channel that carries frames from now on."""

    def __init__(self, channel):
        channel.writer.flush()
        super().__init__(channel.reader.fileno(), channel.writer.fileno())
        self.received = bytearray(channel.reader.peek())
        self.heard = self.said = time.monotonic()

    def send(self, kind, data=b""):
        self.said = time.monotonic()
        self.write(HEAD.pack(kind, len(data)) + data)

    def frames(self):
        data = self.read()
        if data:
            self.heard = time.monotonic()
            self.received += data
        while len(self.received) >= HEAD.size:
            kind, size = HEAD.unpack_from(self.received)
            if len(self.received) < HEAD.size + size:
                break
            yield kind, bytes(self.received[HEAD.size:HEAD.size + size])
            del self.received[:HEAD.size + size]

    def is_lost(self):
        """Called again and again."""
        now = time.monotonic()
        if now - self.said > BEAT:
            self.send(LIVES)
        return self.ended or now - self.heard > SILENCE


def ready(poll, timeout):
    """-> descriptors"""
    return {fd for fd, _ in poll.poll(timeout)}
