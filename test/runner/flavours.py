# SPDX-License-Identifier: GPL-2.0-only
"""Where the tree of a kind test lives, and how the runner starts it, dumps it and finds it again.

A test names its flavours in its header (`flavours=host,...`); each variant is run once in each of them. A new flavour is
a class with the methods of Host and a row in FLAVOURS; inside.py knows of no flavour by name. The runner is always pid 1
of namespaces of its own (pid, mount, IPC, and the network for net=own), and every pid it handles is one of these.
"""
import fcntl
import socket
import struct

from .processes import Failed, command, start
from .snapshot import snapshot

UNSHARE = ["unshare", "--pid", "--mount", "--ipc", "--fork", "--kill-child", "--mount-proc"]
# Pty numbers of our own: another test must not take ours between dump and restore.
FRESH_DEVPTS = ("mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts /dev/pts && "
                "mount --bind /dev/pts/ptmx /dev/ptmx")


def unshare_words(net=False):
    """The start of a command line that runs the rest of it as pid 1 of fresh namespaces."""
    return UNSHARE + (["--net"] if net else [])


def prepare_namespaces(out, net=False):
    """What pid 1 of fresh namespaces does first. @out gets what the commands print."""
    code, text = command(["/bin/sh", "-c", FRESH_DEVPTS], out)
    if code:
        raise Failed(f"devpts: {text}")
    if net:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1))     # SIOCSIFFLAGS, IFF_UP


class Host:
    """The tree shares all namespaces with the tool and the runner."""

    def __init__(self, spec):
        self.spec = spec

    def start(self, argv, out, env):
        """Starts the test program -> pid of the root task."""
        return start(argv, out, env=env)

    def dump_options(self):
        return []

    def restore_options(self):
        return []

    def restored_root(self, dumped):
        """-> pid of the root task after a restore; it was @dumped before."""
        return dumped

    def snapshot(self, root):
        """What is compared before and after: nothing in it may depend on what this flavour does not preserve."""
        return snapshot(root)


FLAVOURS = {"host": Host}
