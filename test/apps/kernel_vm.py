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


def output(argv, cwd="/", seconds=200):
    try:
        got = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, timeout=seconds,
                             check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Missing(f"{argv[0]}: {e}") from e
    text = got.stdout.decode(errors="replace")
    if got.returncode:
        raise Missing(f"{' '.join(argv[:3])}: {text.strip().splitlines()[-1:]}")
    return text


def package(name):
    """The package that the newest kernel @name really is."""
    found = re.search(r"Depends: (linux-image-\S+)", output(["apt-cache", "depends", name]))
    if not found:
        raise Missing(f"no package {name} in this release")
    return found.group(1)


def kernel(cache):
    """Downloads and unpacks Debian's kernel, once: installing it would make it a part of this system -> directory"""
    os.makedirs(cache, exist_ok=True)
    with open(f"{cache}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        name = package("linux-image-amd64")
        top = f"{cache}/{name}"
        if os.path.isdir(top):
            return top
        for old in glob.glob(f"{cache}/*.deb"):
            os.unlink(old)
        output(["apt-get", "download", "-q", name], cwd=cache)
        part = f"{top}.part"
        shutil.rmtree(part, ignore_errors=True)
        os.mkdir(part)
        deb = glob.glob(f"{cache}/{name}_*.deb")[0]
        kept = ["./boot/vmlinuz*", "./lib/modules/*/modules.*"] + [f"./lib/modules/*/kernel/{folder}/*" for folder in FOLDERS]
        quoted = " ".join(f"'{pattern}'" for pattern in kept)
        output(["sh", "-c", f"dpkg --fsys-tarfile '{deb}' | tar -x -C '{part}' --wildcards {quoted}"])
        release = os.listdir(f"{part}/lib/modules")[0]
        output(["busybox", "depmod", "-b", part, release])
        os.unlink(deb)
        os.rename(part, top)
        return top


def modules_in_order(top):
    """-> paths of MODULES and what they depend on, each after its own"""
    folder = glob.glob(f"{top}/lib/modules/*")[0]
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
        keys = " pku " in next(line for line in f if line.startswith("flags")) + " "
    return [QEMU, "-accel", "tcg", "-m", "1024", "-smp", "1", "-cpu", "max" if keys else "max,-pku", "-nographic", "-no-reboot", "-net",
            "none", "-kernel", glob.glob(f"{top}/boot/vmlinuz*")[0], "-initrd", initrd, "-append",
            "console=ttyS0 quiet panic=-1 mitigations=off", "-virtfs",
            "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap", "-virtfs",
            f"local,path={share},mount_tag=share,security_model=none,multidevs=remap"]
