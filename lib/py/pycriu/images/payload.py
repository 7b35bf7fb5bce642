# SPDX-License-Identifier: LGPL-2.1-only
"""What follows a record without being one: read from a file as a value for JSON, and written again."""
import base64
import os
import struct

from . import pb
from .pb2dict import dict2pb, pb2dict


def _exactly(f, size):
    data = f.read(size)
    if len(data) != size:
        raise EOFError(f"the image ends within {size} bytes that follow a record")
    return data


def _text(data):
    return base64.encodebytes(data).decode()


def _round_up(size, to):
    return (size + to - 1) // to * to


class Bytes:
    """size(record) bytes, then zeros up to a multiple of pad."""

    def __init__(self, size, pad=1):
        self.size = size
        self.pad = pad

    def length(self, f, record):
        return self.size(record)

    def load(self, f, record):
        size = self.length(f, record)
        data = _exactly(f, size)
        _exactly(f, _round_up(size, self.pad) - size)
        return _text(data)

    def dump(self, value, f, record):
        data = base64.b64decode(value)
        f.write(data + bytes(_round_up(len(data), self.pad) - len(data)))

    def skip(self, f, record):
        size = self.length(f, record)
        f.seek(_round_up(size, self.pad), os.SEEK_CUR)
        return size


class Rest(Bytes):
    """All that is left."""

    def __init__(self):
        super().__init__(None)

    def load(self, f, record):
        return _text(f.read())

    def length(self, f, record):
        here = f.tell()
        end = f.seek(0, os.SEEK_END)
        f.seek(here)
        return end - here


class TcpStream:
    """Both queues."""

    def load(self, f, record):
        return {"inq": _text(_exactly(f, record.inq_len)), "outq": _text(_exactly(f, record.outq_len))}

    def dump(self, value, f, record):
        f.write(base64.b64decode(value["inq"]))
        f.write(base64.b64decode(value["outq"]))

    def skip(self, f, record):
        f.seek(record.inq_len + record.outq_len, os.SEEK_CUR)
        return record.inq_len + record.outq_len


class Semaphores:
    """Their values."""

    def load(self, f, record):
        data = _exactly(f, _round_up(2 * record.nsems, 8))
        return list(struct.unpack(f"<{record.nsems}H", data[:2 * record.nsems]))

    def dump(self, value, f, record):
        data = struct.pack(f"<{len(value)}H", *value)
        f.write(data + bytes(_round_up(len(data), 8) - len(data)))

    def skip(self, f, record):
        f.seek(_round_up(2 * record.nsems, 8), os.SEEK_CUR)
        return 2 * record.nsems


class Messages:
    """qnum times a record of its own and its text."""

    def load(self, f, record):
        result = []
        for _ in range(record.qnum):
            message = pb.ipc_msg()
            message.ParseFromString(_exactly(f, struct.unpack("<I", _exactly(f, 4))[0]))
            result.append(pb2dict(message))
            result.append(_text(_exactly(f, _round_up(message.msize, 8))[:message.msize]))
        return result

    def dump(self, value, f, record):
        for head, text in zip(value[::2], value[1::2]):
            message = dict2pb(head, pb.ipc_msg())
            packed = message.SerializeToString()
            data = base64.b64decode(text)
            f.write(struct.pack("<I", len(packed)) + packed)
            f.write(data + bytes(_round_up(message.msize, 8) - len(data)))

    def skip(self, f, record):
        here = f.tell()
        self.load(f, record)
        return f.tell() - here


class MaybeRest(Rest):
    """The content of a file, unless it follows in chunks."""

    def load(self, f, record):
        return None if record.chunks else super().load(f, record)

    def skip(self, f, record):
        return None if record.chunks else super().skip(f, record)

