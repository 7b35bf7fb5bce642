# SPDX-License-Identifier: GPL-2.0-only
"""What a directory says about a tree and a restore is not true any more after a reboot."""
import contextlib
import os

BOOT = "boot"


def boot_id():
    with open("/proc/sys/kernel/random/boot_id", "rb") as f:
        return f.read()


def write_boot(path):
    with open(os.path.join(path, BOOT), "wb") as f:
        f.write(boot_id())


def is_of_this_boot(path):
    with contextlib.suppress(FileNotFoundError), open(os.path.join(path, BOOT), "rb") as f:
        return f.read() == boot_id()
    return False
