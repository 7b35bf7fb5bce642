# SPDX-License-Identifier: LGPL-2.1-only
"""checksums.img beside an image that has been edited (in C: criu/image/checksums.c)."""
import os
import struct

from . import images


def _table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82f63b78 if value & 1 else 0)
        table.append(value)
    return table


def crc32c(data, crc=0):
    """CRC-32C (Castagnoli), as in the images."""
    table = _table()
    crc ^= 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def _own(record):
    run_id = record["run_id"].encode() + b"\0" if "run_id" in record else b""
    return crc32c(b"".join(entry["name"].encode() + b"\0" + struct.pack("<QI", entry["size"], entry["crc32c"])
                           for entry in record["images"]) + run_id)


def update(path, data):
    """The image at path was replaced on purpose, by data."""
    directory, name = os.path.split(path)
    for sums in ("checksums.img", "checksums-pages.img"):
        sums = os.path.join(directory, sums)
        if not os.path.exists(sums):
            continue
        with open(sums, "rb") as f:
            img = images.load(f)
        record = img["entries"][0]
        mine = [entry for entry in record.get("images", []) if entry["name"] == name]
        if not mine:
            continue
        mine[0].update(size=len(data), crc32c=crc32c(data))
        record["own"] = _own(record)
        with open(sums + ".new", "wb") as f:
            images.dump(img, f)
        os.rename(sums + ".new", sums)
