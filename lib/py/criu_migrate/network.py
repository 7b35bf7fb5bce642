# SPDX-License-Identifier: GPL-2.0-only
"""What a dump of connections leaves for a restore at this host, which there will not be."""
import shutil
import subprocess

from .common import say


def locks(pid):
    """The tables of nftables that block connections of a tree."""
    if not shutil.which("nft"):
        return set()
    done = subprocess.run(["nft", "list", "tables", "inet"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False)
    return {line.split()[-1] for line in done.stdout.decode(errors="replace").splitlines() if f" criu-lock-{pid}-" in line}


def remove_locks(names):
    """Connections that come back later would be blocked by them."""
    for name in names:
        if subprocess.run(["nft", "delete", "table", "inet", name], stdin=subprocess.DEVNULL, check=False).returncode:
            say(f"the table {name} of nftables could not be removed: criu check names it, too")
