# SPDX-License-Identifier: GPL-2.0-only
"""The connection: lines of JSON; a file follows its line."""
import json
import os

from .common import Failed, Lost

CHUNK = 1 << 20


class Channel:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, message):
        self.writer.write(json.dumps(message).encode() + b"\n")
        self.writer.flush()

    def receive(self):
        """None at the end."""
        line = self.reader.readline(1 << 20)
        if not line.endswith(b"\n"):
            return None
        return json.loads(line)

    def ask(self, message):
        self.send(message)
        answer = self.receive()
        if answer is None:
            raise Lost()
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def send_file(self, name, path):
        with open(path, "rb") as f:
            left = os.fstat(f.fileno()).st_size
            self.send({"file": name, "size": left})
            while left:
                data = f.read(min(CHUNK, left))
                if not data:
                    raise Failed(f"{path} became shorter")
                self.writer.write(data)
                left -= len(data)

    def skip(self, size):
        while size:
            size -= len(self.read_some(size))

    def read_some(self, size):
        data = self.reader.read(min(CHUNK, size))
        if not data:
            raise Lost()
        return data

    def receive_file(self, path, size):
        """All of it is read, whatever happens to the file: the next message follows."""
        failed = f = None
        while size:
            data = self.read_some(size)
            size -= len(data)
            try:
                f = f or open(path, "xb")
                if not failed:
                    f.write(data)
            except OSError as e:
                failed = failed or e
        try:
            (f or open(path, "xb")).close()
        except OSError as e:
            failed = failed or e
        if failed:
            raise failed
