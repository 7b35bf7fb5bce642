# SPDX-License-Identifier: GPL-2.0-only
"""A streamer, as criu --stream talks to: captures the images of a dump into a file, or serves them to a restore.
Usage: streamer.py capture|serve DIR FILE [LIMIT]: ends after LIMIT bytes, as if it were killed."""
import array
import json
import os
import select
import socket
import struct
import sys


def received(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            return None
        data += more
    return data


def request(sock):
    """The name in an img_streamer_request_entry: field 1, a string."""
    head = received(sock, 4)
    if head is None:
        return None
    body = received(sock, struct.unpack("<I", head)[0])
    assert body[0] == 0x0a and body[1] == len(body) - 2, body
    return body[2:].decode()


def passed_fd(sock):
    data, anc, _, _ = sock.recvmsg(1, socket.CMSG_SPACE(4))
    assert data == b"\0" and len(anc) == 1, (data, anc)
    fds = array.array("i")
    fds.frombytes(anc[0][2])
    return fds[0]


def listen(path):
    if os.path.exists(path):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(f"{path}.new")
    sock.listen(1)
    # Whoever sees the name can connect.
    os.rename(f"{path}.new", path)
    conn = sock.accept()[0]
    sock.close()
    return conn


def capture(folder, to, limit):
    """All pipes are drained at the same time, as the protocol demands."""
    sock = listen(f"{folder}/streamer-capture.sock")
    images, order, pipes, total = {}, [], {}, 0
    while sock or pipes:
        for fd in select.select(([sock] if sock else []) + list(pipes), [], [])[0]:
            if fd is sock:
                name = request(sock)
                if name is None:
                    sock = None
                    continue
                assert name not in images, f"{name} twice"
                images[name] = bytearray()
                order.append(name)
                pipes[passed_fd(sock)] = name
                continue
            data = os.read(fd, 1 << 16)
            images[pipes[fd]] += data
            total += len(data)
            if total > limit:
                os._exit(9)
            if not data:
                os.close(fd)
                del pipes[fd]
    with open(to, "wb") as f:
        f.write(json.dumps([[name, len(images[name])] for name in order]).encode() + b"\n")
        for name in order:
            f.write(images[name])


def load(path):
    with open(path, "rb") as f:
        return {name: f.read(n) for name, n in json.loads(f.readline())}


def serve(folder, path, limit):
    images = load(path)
    sock = listen(f"{folder}/streamer-serve.sock")
    total, asked = 0, set()
    while (name := request(sock)) is not None:
        assert name not in asked, f"{name} asked for twice"
        asked.add(name)
        reply = b"\x08\x01" if name in images else b"\x08\x00"
        sock.sendall(struct.pack("<I", len(reply)) + reply)
        if name not in images:
            continue
        fd, at = passed_fd(sock), 0
        while at < len(images[name]):
            at += os.write(fd, images[name][at:at + (1 << 16)])
            if total + at > limit:
                os._exit(9)
        total += at
        os.close(fd)
    with open(f"{path}.served", "w") as f:
        f.write("\n".join(sorted(asked)))


if __name__ == "__main__":
    {"capture": capture, "serve": serve}[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 1 << 60)
