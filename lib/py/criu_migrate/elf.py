# SPDX-License-Identifier: GPL-2.0-only
"""The build id of a program or library: two of them with the same size can differ."""
import struct

PT_NOTE, NT_GNU_BUILD_ID = 4, 3
NOTES_MAX = 1 << 16


def build_id(path):
    """In hexadecimal digits; None: it has none, or is no ELF file of this byte order."""
    try:
        with open(path, "rb") as f:
            return _of_file(f)
    except (OSError, struct.error, IndexError, ValueError, OverflowError):
        return None


def _of_file(f):
    head = f.read(64)
    if head[:4] != b"\x7fELF" or head[5] != 1:
        return None
    wide = head[4] == 2
    at, = struct.unpack_from("<Q" if wide else "<I", head, 32 if wide else 28)
    size, count = struct.unpack_from("<HH", head, 54 if wide else 42)
    for i in range(count):
        f.seek(at + i * size)
        segment = f.read(size)
        if struct.unpack_from("<I", segment)[0] != PT_NOTE:
            continue
        offset, = struct.unpack_from("<Q" if wide else "<I", segment, 8 if wide else 4)
        length, = struct.unpack_from("<Q" if wide else "<I", segment, 32 if wide else 16)
        f.seek(offset)
        found = _in_notes(f.read(min(length, NOTES_MAX)))
        if found:
            return found
    return None


def _in_notes(notes):
    at = 0
    while at + 12 <= len(notes):
        name, content, kind = struct.unpack_from("<III", notes, at)
        start = at + 12 + (name + 3 & ~3)
        if kind == NT_GNU_BUILD_ID and notes[at + 12:at + 12 + name] == b"GNU\0":
            return notes[start:start + content].hex() or None
        at = start + (content + 3 & ~3)
    return None
