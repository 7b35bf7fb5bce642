# SPDX-License-Identifier: GPL-2.0-only
"""A container in its own mount namespace: the directory that is its root, one program in it, its mounts as they are seen from inside."""
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from tools import *  # noqa: E402,F403

DIRS = "bin lib lib64 usr proc sys dev run data plain plain/in point"


def make_root(name, without=()):
    root = tmp(name)
    os.mkdir(root)
    for d in DIRS.split():
        if d not in without:
            os.mkdir(f"{root}/{d}")
    for d in ("bin", "lib", "lib64"):
        os.rmdir(f"{root}/{d}")
        os.symlink(f"usr/{d}", f"{root}/{d}")
    for f in ("out", "file"):
        if f not in without:
            with open(f"{root}/{f}", "w") as o:
                o.write("" if f == "out" else "of all\n")
    os.mkdir(f"{root}/host") if "host" not in without else None
    return root


# The root directory is made by a bind mount; what the case adds is in $MORE. The program has no files outside.
BOX = r"""
set -e
cd $ROOT
mount --make-rprivate /
mount --bind $ROOT $ROOT
cd $ROOT
mount --bind -o ro /usr usr
mount -t proc -o nosuid,noexec proc proc
mount -t devpts -o newinstance,ptmxmode=666 devpts dev
eval "$MORE"
pivot_root . .
umount -l .
cd /
exec sleep 1000 < /out > /out 2>&1
"""
USR = ("--external", "mnt[/usr]:usr")
USR_BACK = ("--external", "mnt[usr]:/usr")


def begin(root, more="", program=None, options=()):
    """-> the tool's pid of the init"""
    program = program or put("box.sh", BOX)
    maker = spawn(["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", *options, "--propagation", "unchanged", "setsid", "sh", program],
                  env={"ROOT": root, "MORE": more, "PATH": os.environ["PATH"]})

    def init():
        if maker in statuses:
            raise Failed(f"the container: {text_of(tmp('out'))}")
        pid = text_of(f"/proc/{maker}/task/{maker}/children").strip()
        return int(pid) if pid.isdigit() and text_of(f"/proc/{pid}/comm") == "sleep\n" else None
    return wait_for(init, "the container", 30)


def mounts(pid):
    """What does not depend on numbers: {(mount point, level): ...}"""
    lines = [line.split(" ") for line in text_of(f"/proc/{pid}/mountinfo").splitlines()]
    parents = {f[0]: f[1] for f in lines}
    out = {}
    want(lines and all("-" in f for f in lines), f"mountinfo of {pid} ({live_pids()}): {text_of(f'/proc/{pid}/mountinfo')} {lines}")
    for f in lines:
        level, at = 0, f[0]
        while at in parents and parents[at] != at:
            level, at = level + 1, parents[at]
        tail = f[f.index("-"):]
        out[f[4], level] = " ".join([f[3], f[5], *(w.split(":")[0] for w in f[6:f.index("-")]), *tail])
    return out


def host():
    return sorted(text_of("/proc/self/mountinfo").splitlines())


def restore_here(images, *options):
    if os.path.exists(tmp("pidfile")):
        os.unlink(tmp("pidfile"))
    restore(images, "--pidfile", tmp("pidfile"), *options)
    return int(text_of(tmp("pidfile")))


def dumped(init, *options):
    tree = tree_of(init)
    images = dump(init, *options)
    gone(tree)
    return images


def same(was, now, roots=None):
    """@roots: the directories that --root named"""
    if roots:
        was = {key: value.replace(*roots) for key, value in was.items()}
    diff = [f"{key}: {was.get(key)} -> {now.get(key)}" for key in sorted(set(was) | set(now)) if was.get(key) != now.get(key)]
    want(not diff, "mounts differ: " + "; ".join(diff))


def case(name, fn):
    before = host()
    try:
        fn()
        want(host() == before, f"mounts of the host: {set(host()) ^ set(before)}")
        ok(name, True)
    except Failed as e:
        ok(name, False, e)
    end_all()
