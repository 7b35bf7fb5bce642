# SPDX-License-Identifier: GPL-2.0-only
"""
box_start.py SPEC: starts the first process of a container with all namespaces, the way runc and systemd-nspawn do, and exits.
SPEC, in JSON: root; init (argv); env; note (gets the pid); hostname; group (its cgroup, of version 2, "" for none); maps (of a user
namespace, "" for none); dev (source of /dev/console, "" for none); mounts ([source, place, type, flags, options]); bpf.
"""
import ctypes
import fcntl
import json
import os
import socket
import struct
import sys

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, BIND, REC, PRIVATE, DETACH = 1, 2, 4, 8, 4096, 16384, 1 << 18, 2
NODES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
libc = ctypes.CDLL(None, use_errno=True)


def must(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source, place, kind, flags=0, options=None):
    words = [w.encode() if w else None for w in (source, place, kind)]
    must(libc.mount(*words, flags, options.encode() if options else None), f"mount {place}")


def map_ids(maps):
    """The maps are written by a process outside, as they contain more than one's own id."""
    ours, theirs = os.pipe()
    mapper = os.fork()
    if not mapper:
        try:
            os.read(ours, 1)
            for name in ("uid_map", "gid_map"):
                with open(f"/proc/{os.getppid()}/{name}", "w") as f:
                    f.write(maps)
            os._exit(0)
        finally:
            os._exit(1)
    must(libc.unshare(NEWUSER), "unshare")
    os.write(theirs, b"x")
    if os.waitpid(mapper, 0)[1]:
        raise OSError("map ids")
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def make_dev(spec):
    mount("tmpfs", "dev", "tmpfs", NOSUID, "mode=755,size=4m")
    for name in "pts", "shm", "mqueue":
        os.mkdir(f"dev/{name}")
    for name, minor in NODES.items():
        make_node(spec, name, os.makedev(1, minor))
    make_node(spec, "tty", os.makedev(5, 0))
    # With it systemd mounts on access, which root of a user namespace may not.
    if os.path.exists("/dev/autofs") and not spec.get("maps"):
        make_node(spec, "autofs", os.stat("/dev/autofs").st_rdev)
    for name, target in LINKS.items():
        os.symlink(target, f"dev/{name}")
    mount("devpts", "dev/pts", "devpts", NOSUID | NOEXEC, "newinstance,ptmxmode=666,mode=620,gid=5")
    mount("tmpfs", "dev/shm", "tmpfs", NOSUID | NODEV, "size=8m")
    mount("mqueue", "dev/mqueue", "mqueue", NOSUID | NODEV | NOEXEC)
    if spec.get("console"):
        bind_file(spec["console"], "dev/console")


def bind_file(source, place):
    os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o600))
    mount(source, place, None, BIND)


def make_node(spec, name, number):
    """In a user namespace no device can be created: those of the host are bind mounts then."""
    if spec.get("maps"):
        bind_file(f"/dev/{name}", f"dev/{name}")
    else:
        os.mknod(f"dev/{name}", 0o20666, number)
        os.chmod(f"dev/{name}", 0o666)


def make_mounts(spec):
    mount("none", "/", None, REC | PRIVATE)
    mount(spec["root"], spec["root"], None, BIND)
    os.chdir(spec["root"])
    mount("proc", "proc", "proc", NOSUID | NODEV | NOEXEC)
    mount("sysfs", "sys", "sysfs", NOSUID | NODEV | NOEXEC | RDONLY)
    make_dev(spec)
    for place in "run", "tmp":
        mount("tmpfs", place, "tmpfs", NOSUID | NODEV, "mode=755,size=64m" if place == "run" else "size=64m")
    if spec.get("group"):
        mount("cgroup2", "sys/fs/cgroup", "cgroup2", NOSUID | NODEV | NOEXEC)
    for source, place, kind, flags, options in spec.get("mounts", []):
        os.makedirs(place, exist_ok=True)
        mount(source, place, kind, flags, options)
    must(libc.syscall(155, b".", b"."), "pivot_root")
    must(libc.umount2(b".", DETACH), "umount")
    os.chdir("/")


def no_bpf():
    """bpf(2) fails, as in containers of systemd-nspawn: a program for devices of a service could not be saved."""
    if os.uname().machine != "x86_64":
        return
    code = b"".join(struct.pack("HBBI", *line) for line in ((0x20, 0, 0, 0), (0x15, 0, 1, 321), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)))
    text = ctypes.create_string_buffer(code)
    must(libc.prctl(22, 2, struct.pack("HxxxxxxP", 4, ctypes.addressof(text)), 0, 0), "seccomp")


def init(spec, ready):
    os.setsid()
    socket.sethostname(spec.get("hostname", "box"))
    make_mounts(spec)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 1))        # SIOCSIFFLAGS, IFF_UP
    null = os.open("/dev/null", os.O_RDWR)
    if not spec.get("bpf"):
        no_bpf()
    os.write(ready, b"x")
    for fd in range(3):
        os.dup2(null, fd)
    os.closerange(3, 1024)
    os.execve(spec["init"][0], spec["init"], spec["env"])


def main():
    with open(sys.argv[1]) as f:
        spec = json.load(f)
    os.umask(0o022)
    note = os.open(spec["note"], os.O_WRONLY | os.O_CREAT, 0o644)
    if spec.get("group"):
        with open(f"{spec['group']}/cgroup.procs", "w") as f:
            f.write("0")
    if spec.get("maps"):
        map_ids(spec["maps"])
    must(libc.unshare(NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET | (NEWCGROUP if spec.get("group") else 0)), "unshare")
    ours, ready = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            init(spec, ready)
        except BaseException as e:  # noqa: BLE001
            print(repr(e), flush=True)
        os._exit(1)
    os.close(ready)
    if os.read(ours, 1) == b"x":
        os.write(note, str(pid).encode())
        os._exit(0)
    os._exit(1)


main()
