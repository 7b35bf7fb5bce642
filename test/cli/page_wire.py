# SPDX-License-Identifier: GPL-2.0-only
"""The page server's protocol of CRIU 4.2, spoken by hand: the client that a dump is, and the server."""
import socket
import struct

ADD, HOLE, OPEN, OPEN2, PARENT, ADD_F, GET, COMPRESSED = 1, 2, 3, 4, 5, 6, 7, 8
CLOSE, FORCE_CLOSE = 0x1023, 0x1024
IN_PARENT, LAZY, PRESENT = 1, 2, 4
PAGE = 4096
NAMES = {ADD: "ADD", HOLE: "HOLE", OPEN: "OPEN", OPEN2: "OPEN2", PARENT: "PARENT", ADD_F: "ADD_F", GET: "GET", CLOSE: "CLOSE",
         FORCE_CLOSE: "FORCE_CLOSE"}


def message(cmd, dst=0, vaddr=0, pages=0, flags=0, garbage=b"\x7f\x3a\x00\x91"):
    """32 bytes; those after the command are whatever was on the sender's stack."""
    return struct.pack("<HH4sQQQ", cmd, flags, garbage, pages, vaddr, dst)


def parse(raw):
    cmd, flags, garbage, pages, vaddr, dst = struct.unpack("<HH4sQQQ", raw)
    return {"cmd": cmd, "flags": flags, "pages": pages, "vaddr": vaddr, "dst": dst}


def task(pid):
    return pid << 8 | 1


def segment(shmid):
    return shmid << 8 | 2


def receive(sock, n):
    data = b""
    while len(data) < n:
        got = sock.recv(min(n - len(data), 1 << 20))
        if not got:
            raise EOFError(f"{len(data)} of {n} bytes")
        data += got
    return data


class Client:
    """A dump of 4.2: one connection; CORK, pushed by NODELAY before each wait."""

    def __init__(self, port=None, sock=None, address="127.0.0.1", seconds=30):
        self.sock = sock or socket.create_connection((address, port))
        self.sock.settimeout(seconds)
        self.mark = None        # of this program, in the bytes that are garbage
        self.tcp = self.sock.family != socket.AF_UNIX
        if self.tcp:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)

    def push(self):
        if self.tcp:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, *args, **fields):
        if self.mark:
            fields["garbage"] = self.mark
        self.sock.sendall(message(*args, **fields))

    def open2(self, dst):
        self.send(OPEN2, dst)
        self.push()
        return receive(self.sock, 1)[0]

    def parent(self, dst):
        self.send(PARENT, dst)
        self.push()
        return struct.unpack("<i", receive(self.sock, 4))[0]

    def add(self, dst, vaddr, data, flags=PRESENT):
        self.send(ADD_F, dst, vaddr, len(data) // PAGE, flags)
        self.sock.sendall(data)

    def in_parent(self, dst, vaddr, pages):
        self.send(ADD_F, dst, vaddr, pages, IN_PARENT)

    def end(self, cmd=CLOSE):
        self.send(cmd)
        self.push()
        return struct.unpack("<i", receive(self.sock, 4))[0]

    def close(self):
        self.sock.close()


class Server:
    """A page server of 4.2, which keeps what it gets in memory. @seen: called before each message is answered, with it."""

    def __init__(self, sock, seen=lambda message: None, parents=(), status=0):
        self.sock, self.seen, self.parents, self.status = sock, seen, parents, status
        self.images, self.entries, self.log = {}, {}, []

    def serve(self):
        """Until the client ends the session -> the command that ended it"""
        opened = None
        while True:
            m = parse(receive(self.sock, 32))
            self.log.append(m)
            self.seen(m)
            if m["cmd"] in (OPEN, OPEN2):
                opened = m["dst"]
                self.images[opened], self.entries[opened] = {}, []
                if m["cmd"] == OPEN2:
                    self.sock.sendall(bytes([opened in self.parents]))
            elif m["cmd"] == PARENT:
                self.sock.sendall(struct.pack("<i", int(m["dst"] in self.parents)))
            elif m["cmd"] == ADD_F:
                if m["dst"] != opened:
                    raise ValueError(f"ADD_F for {m['dst']:#x}, but {opened} is open")
                self.entries[opened].append((m["vaddr"], m["pages"], m["flags"]))
                if m["flags"] & PRESENT:
                    for i in range(m["pages"]):
                        self.images[opened][m["vaddr"] + i * PAGE] = receive(self.sock, PAGE)
            elif m["cmd"] in (CLOSE, FORCE_CLOSE):
                self.sock.sendall(struct.pack("<i", self.status))
                return m["cmd"]
            else:
                raise ValueError(f"unknown command {m['cmd']:#x}")
