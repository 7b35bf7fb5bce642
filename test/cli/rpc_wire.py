# SPDX-License-Identifier: GPL-2.0-only
"""Speaks the RPC protocol by hand: encodes and decodes messages of images/rpc.proto, as read from that file."""
import os
import re
import socket

ROOT = os.path.realpath(os.environ.get("ROOT", os.path.dirname(os.path.realpath(__file__)) + "/../.."))


class Raw(bytes):
    """A field value that is sent as it is, whatever the type of the field."""


def read_proto():
    text = re.sub(r"//[^\n]*", "", open(f"{ROOT}/images/rpc.proto").read())
    enums, messages = {}, {}
    for kind, name, body in re.findall(r"(enum|message)\s+(\w+)\s*{([^}]*)}", text):
        if kind == "enum":
            enums[name] = {k: int(v) for k, v in re.findall(r"(\w+)\s*=\s*(\d+)", body)}
        else:
            messages[name] = {n: (label, typ, int(nr)) for label, typ, n, nr in
                              re.findall(r"(required|optional|repeated)\s+(\w+)\s+(\w+)\s*=\s*(\d+)", body)}
    return enums, messages


ENUMS, MESSAGES = read_proto()


def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7f | 0x80])
        v >>= 7
    return out + bytes([v])


def encode_one(typ, nr, value):
    if isinstance(value, Raw):
        return bytes(value)
    if typ in MESSAGES:
        value = encode(typ, value)
    elif typ == "string":
        value = value.encode() if isinstance(value, str) else value
    if typ in MESSAGES or typ == "string":
        return varint(nr << 3 | 2) + varint(len(value)) + value
    if isinstance(value, str):
        value = ENUMS[typ][value]
    return varint(nr << 3) + varint(int(value))


def encode(message, fields):
    out = b""
    for name, value in fields.items():
        label, typ, nr = MESSAGES[message][name]
        for v in value if label == "repeated" and not isinstance(value, Raw) else [value]:
            out += encode_one(typ, nr, v)
    return out


def take_varint(data, at):
    shift = value = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def decode(message, data):
    by_nr = {nr: (name, label, typ) for name, (label, typ, nr) in MESSAGES[message].items()}
    out, at = {}, 0
    while at < len(data):
        key, at = take_varint(data, at)
        value, at = take_varint(data, at)
        name, label, typ = by_nr[key >> 3]
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
            value = decode(typ, value) if typ in MESSAGES else value.decode()
        elif typ in ENUMS:
            value = next((k for k, v in ENUMS[typ].items() if v == value), value)
        elif typ == "bool":
            value = bool(value)
        elif typ == "int32" and value >= 1 << 31:
            value -= 1 << 64
        out[name] = value
    return out


def exit_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Connection:
    """One end of a connection to criu."""

    def __init__(self, sock, pid=None):
        self.sock, self.pid, self.fds, self.notices = sock, pid, [], []
        sock.settimeout(60)

    def send(self, kind, opts=None, **fields):
        self.send_raw(encode("criu_req", {"type": kind, **({} if opts is None else {"opts": opts}), **fields}))

    def send_raw(self, data, fds=()):
        if fds:
            socket.send_fds(self.sock, [data], fds)
        else:
            self.sock.send(data)

    def receive(self):
        """The next response, or None at the end; `self.fds`: descriptors that came with it."""
        try:
            data, self.fds, _, _ = socket.recv_fds(self.sock, 1 << 16, 4)
        except ConnectionResetError:
            return None
        return decode("criu_resp", data) if data else None

    def ask(self, kind, opts=None, on_notify=None, **fields):
        """Sends a request and returns the response; `self.notices`: the notifications before it."""
        self.notices = []
        self.send(kind, opts, **fields)
        return self.answer(on_notify)

    def answer(self, on_notify=None):
        while True:
            resp = self.receive()
            if not resp or resp["type"] != "NOTIFY":
                return resp
            self.notices.append(resp["notify"])
            reply = on_notify(self, resp["notify"]) if on_notify else True
            if isinstance(reply, bytes):
                self.send_raw(reply)
            elif reply is not None:
                self.send("NOTIFY", notify_success=reply)

    def close(self):
        """Closes the connection and returns criu's exit status."""
        self.sock.close()
        return exit_of(self.pid) if self.pid else None


def swrk(criu, *args, kind=socket.SOCK_SEQPACKET, env=None, pair=None):
    """Starts `criu swrk`, connected to us, with stdin, stdout and stderr closed as pycriu does."""
    ours, its = pair or socket.socketpair(socket.AF_UNIX, kind)
    pid = os.fork()
    if not pid:
        try:
            os.set_inheritable(its.fileno(), True)
            for fd in 0, 1, 2:
                os.close(fd)
            os.execve(criu, [criu, "swrk", str(its.fileno()), *args], env or os.environ)
        finally:
            os._exit(99)
    its.close()
    return Connection(ours, pid)
