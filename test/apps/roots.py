# SPDX-License-Identifier: GPL-2.0-only
"""Root directories for containers: Debian (made by debootstrap once, kept in the build folder), and busybox."""
import fcntl
import os
import re
import shutil
import subprocess
import tempfile

from tools import BUILD, need_program, sh, skip

PACKAGES = "systemd,systemd-sysv,dbus,libpam-systemd,procps,util-linux"
DROPPED = "usr/share/doc usr/share/man usr/share/locale usr/share/info var/cache/apt var/lib/apt/lists".split()
SECONDS = 240


def mirror():
    """-> (address, suite) of this machine's own Debian packages"""
    text = subprocess.run(["apt-cache", "policy"], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    for m in re.finditer(r"^ *\d+ (https?://\S+) (\S+)/main \S+ Packages$", text, re.M):
        if re.search(r"/debian/?$", m[1]) and not re.search(r"-(security|updates|backports)$|/", m[2]):
            return m[1], m[2]
    skip("no Debian mirror is configured (apt-cache policy)")


def debian():
    """-> an archive, for unpack(). To be called before tools.enter(): it needs the network."""
    made = f"{BUILD}/debian-root.tar"
    if os.getpid() == 1 or os.path.exists(made):
        return made
    need_program("debootstrap")
    address, suite = mirror()
    with open(f"{BUILD}/.debian-root", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(made):
            with tempfile.TemporaryDirectory(prefix="criu-root.") as place:
                bootstrap(f"{place}/root", address, suite)
                subprocess.run(["tar", "-C", f"{place}/root", "-cf", f"{made}.tmp", "."], check=True)
            os.rename(f"{made}.tmp", made)
    return made


def bootstrap(made, address, suite):
    """In namespaces of its own: nothing is mounted outside."""
    words = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc", "debootstrap", "--variant=minbase",
             f"--include={PACKAGES}", suite, made, address]
    try:
        got = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        skip(f"debootstrap from {address}: not within {SECONDS} s")
    if got.returncode:
        skip(f"debootstrap from {address}: {' | '.join(got.stdout.strip().splitlines()[-2:])}")
    for name in DROPPED:
        shutil.rmtree(f"{made}/{name}", ignore_errors=True)


def unpack(archive, place):
    os.mkdir(place)
    sh(["tar", "-C", place, "-xpf", archive])
    return place
