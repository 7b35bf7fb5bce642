# SPDX-License-Identifier: GPL-2.0-only
"""
An emulated machine with Debian's own kernel: its root directory is that of this one, read-only below a tmpfs, and it shares one directory
with us. Software emulation: whether the CPU can do better is not looked at.
"""
import fcntl
import glob
import os
import re
import shutil
import subprocess
import time

MODULES = ["9pnet_virtio", "virtio_pci", "9p", "overlay"]
FOLDERS = ["net", "fs", "lib", "crypto", "drivers/virtio", "drivers/net"]
QEMU = "qemu-system-x86_64"
SHARE = "/mnt"
INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc p /proc
$B mount -t sysfs s /sys
$B mount -t devtmpfs d /dev
for m in $($B cat /order); do $B insmod /mod/$m; done
plan9=trans=virtio,version=9p2000.L,msize=262144
$B mount -t 9p -o $plan9,cache=loose,ro host /lower
$B mount -t tmpfs t /upper
$B mkdir /upper/u /upper/w
$B mount -t overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w o /r
cd /r
$B umount /proc
$B umount /sys
$B mount -t proc p proc
$B mount -t sysfs sysfs sys
$B mount -t devtmpfs d dev
$B mkdir -p dev/pts dev/shm
$B mount -t devpts p dev/pts
$B mount -t tmpfs t dev/shm
$B mount -t cgroup2 c sys/fs/cgroup
$B mount -t tmpfs t run
$B mount -t 9p -o $plan9,cache=none share mnt
$B mkdir -p .@TOP@ lib/modules
$B mount -t tmpfs t .@TOP@
$B mount --bind mnt/modules lib/modules
$B cp /bin/busybox run/modprobe
echo /run/modprobe > proc/sys/kernel/modprobe
$B ip link set lo up
exec $B switch_root /r /usr/bin/python3 @SCRIPT@ < /dev/console > /dev/console 2>&1
"""


class Missing(Exception):
    """Why there is no such machine here."""


def output(argv, cwd="/", end=None):
    """@end: when it must have ended; time.monotonic()"""
    seconds = max(end - time.monotonic(), 0.1) if end else 100
    try:
        got = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, timeout=seconds,
                             check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Missing(f"{argv[0]}: {e}") from e
    text = got.stdout.decode(errors="replace")
    if got.returncode:
        raise Missing(f"{' '.join(argv[:3])}: {text.strip().splitlines()[-1:]}")
    return text


def package(name, end):
    """The package that the newest kernel @name really is."""
    found = re.search(r"Depends: (linux-image-\S+)", output(["apt-cache", "depends", name], end=end))
    if not found:
        raise Missing(f"no package {name} in this release")
    return found.group(1)


def get_lock(lock, end):
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as e:
            if time.monotonic() > end:
                raise Missing("another test has not finished its download in time") from e
        time.sleep(0.2)


def unpack(deb, top, end):
    part = f"{top}.part"
    shutil.rmtree(part, ignore_errors=True)
    os.mkdir(part)
    kept = ["./boot/vmlinuz*", "./lib/modules/*/modules.*"] + [f"./lib/modules/*/kernel/{folder}/*" for folder in FOLDERS]
    quoted = " ".join(f"'{pattern}'" for pattern in kept)
    output(["sh", "-c", f"dpkg --fsys-tarfile '{deb}' | tar -x -C '{part}' --wildcards {quoted}"], end=end)
    output(["busybox", "depmod", "-b", part, the_one(f"{part}/lib/modules/*").rpartition("/")[2]], end=end)
    os.rename(part, top)


def kernel(cache, seconds):
    """Downloads and unpacks Debian's kernel, once: installing it would make it a part of this system -> directory"""
    end = time.monotonic() + seconds
    os.makedirs(cache, exist_ok=True)
    with open(f"{cache}/lock", "w") as lock:
        get_lock(lock, end)
        name = package("linux-image-amd64", end)
        top = f"{cache}/{name}"
        if os.path.isdir(top):
            return top
        for old in glob.glob(f"{cache}/*.deb"):
            os.unlink(old)
        output(["apt-get", "download", "-q", name], cache, end)
        deb = the_one(f"{cache}/{name}_*.deb")
        unpack(deb, top, end)
        os.unlink(deb)
        return top


def the_one(pattern):
    found = glob.glob(pattern)
    if not found:
        raise Missing(f"there is no {pattern}")
    return found[0]


def modules_in_order(top):
    """-> paths of MODULES and what they depend on, each after its own"""
    folder = the_one(f"{top}/lib/modules/*")
    needs = {}
    with open(f"{folder}/modules.dep") as f:
        for line in f:
            path, _, rest = line.partition(":")
            needs[os.path.basename(path)] = (path, rest.split())
    order = []

    def add(name):
        if name not in needs:
            return      # built in
        path, others = needs[name]
        for other in others:
            add(os.path.basename(other))
        full = path if os.path.isabs(path) and os.path.exists(path) else f"{folder}/{path}"
        if full not in order:
            order.append(full)
    for module in MODULES:
        add(f"{module}.ko")
    return order


def make_initrd(top, work, replaced):
    """replaced: words of INIT in @...@"""
    tree = f"{work}/initrd"
    for folder in ("bin", "mod", "proc", "sys", "dev", "lower", "upper", "r"):
        os.makedirs(f"{tree}/{folder}")
    shutil.copy(shutil.which("busybox"), f"{tree}/bin/busybox")
    order = modules_in_order(top)
    for path in order:
        shutil.copy(path, f"{tree}/mod")
    text = INIT
    for word, value in replaced.items():
        text = text.replace(f"@{word}@", value)
    with open(f"{tree}/order", "w") as f:
        f.write("\n".join(os.path.basename(path) for path in order) + "\n")
    with open(f"{tree}/init", "w") as f:
        f.write(text)
    os.chmod(f"{tree}/init", 0o755)
    output(["sh", "-c", f"cd '{tree}' && find . | busybox cpio -o -H newc > ../initrd.img"])
    return f"{work}/initrd.img"


def machine_words(top, initrd, share):
    """The command that is the machine: with a CPU that has no protection keys if this one has none."""
    with open("/proc/cpuinfo") as f:
        keys = " pku " in next((line for line in f if line.startswith("flags")), "").rstrip() + " "
    return [QEMU, "-accel", "tcg", "-m", "1024", "-smp", "1", "-cpu", "max" if keys else "max,-pku", "-nographic", "-no-reboot", "-net",
            "none", "-kernel", the_one(f"{top}/boot/vmlinuz*"), "-initrd", initrd, "-append",
            "console=ttyS0 quiet panic=-1 mitigations=off", "-virtfs",
            "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap", "-virtfs",
            f"local,path={share},mount_tag=share,security_model=none,multidevs=remap"]
