# SPDX-License-Identifier: GPL-2.0-only
"""
Images that a test has edited. They would be refused for their checksums (test/cli/checksums), before what the test is about. So
their checksums are removed, as a user would do.
"""
import os
import re


def is_edited(images, checksums):
    """Since the dump: an image that is newer than the checksums, which were written last, or missing."""
    with open(checksums, "rb") as f:
        names = re.findall(rb"[\w.-]+\.img", f.read())
    written = os.stat(checksums).st_mtime_ns
    for name in names:
        try:
            if os.stat(os.path.join(os.fsencode(images), name)).st_mtime_ns >= written:  # the clock of files is coarse
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
