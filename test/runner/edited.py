# SPDX-License-Identifier: GPL-2.0-only
"""
Images that a test has edited. They would be refused for their checksums (test/cli/checksums), before what the test is about. So
their checksums are removed, as a user would do.
"""
import os
import re

# struct image_checksum of images/checksums.proto: name, size, crc32c
RECORD = re.compile(rb"\x0a.([\w.-]+\.img)\x10[\x80-\xff]*[\x00-\x7f]\x1d(.{4})", re.S)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def is_edited(images, checksums):
    """Since the dump: an image that is newer than the checksums, which were written last, or other, or missing."""
    with open(checksums, "rb") as f:
        records = RECORD.findall(f.read())
    written = os.stat(checksums).st_mtime_ns
    for name, crc in records:
        path = os.path.join(os.fsencode(images), name)
        try:
            made = os.stat(path).st_mtime_ns
            # The clock of files is coarse: in the same tick it may have been either.
            if made > written:
                return True
            if made == written:
                with open(path, "rb") as f:
                    if crc32c(f.read()) != int.from_bytes(crc, "little"):
                        return True
        except FileNotFoundError:
            return True
    return False


def forget_checksums(argv, cwd="/"):
    """argv: of criu restore or check, or of any other program."""
    if len(argv) < 2 or argv[1] not in ("restore", "check") or "-D" not in argv:
        return
    images = os.path.join(cwd, argv[argv.index("-D") + 1])
    for name in ("checksums.img", "checksums-pages.img"):
        checksums = os.path.join(images, name)
        if os.path.exists(checksums) and is_edited(images, checksums):
            os.unlink(checksums)
