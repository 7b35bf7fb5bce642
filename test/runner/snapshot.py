# SPDX-License-Identifier: GPL-2.0-only
"""What /proc shows of a process tree, in a form that can be compared across dump and restore."""
import ctypes
import os
import re

from .processes import link_of, text_of, tree_of

STATUS = ("Name Umask Tgid Pid PPid TracerPid Uid Gid Groups Threads SigPnd ShdPnd SigBlk SigIgn SigCgt CapInh CapPrm "
          "CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters THP_enabled VmLck CoreDumping "
          "Cpus_allowed Mems_allowed").split()
STAT = {5: "pgrp", 6: "session", 7: "tty_nr", 8: "tpgid", 18: "priority", 19: "nice", 20: "num_threads", 26: "startcode",
        27: "endcode", 28: "startstack", 38: "exit_signal", 40: "rt_priority", 41: "policy", 45: "start_data",
        46: "end_data", 47: "start_brk", 48: "arg_start", 49: "arg_end", 50: "env_start", 51: "env_end", 52: "exit_code"}
VMFLAGS = set("rd wr ex sh mr mw me ms gd lo io sr rr dc de nr ht hg nh mg dd wf pf lf".split()) - {"lf"}
# An unlinked file whose path has been reused is restored under a unique name.
GHOST = re.compile(r"\.cr\.[0-9a-f]+\.ghost \(deleted\)")
KCMP_FILE, KCMP = 0, {1: "vm", 2: "files", 3: "fs", 4: "sighand", 6: "sysvsem"}
libc = ctypes.CDLL(None, use_errno=True)


class Names:
    """Numbers that may change across a restore (inodes of pipes and sockets) are replaced by their order of
    appearance."""

    def __init__(self):
        self.seen = {}
        self.own = {link_of(f"/proc/self/ns/{name}") for name in ("uts", "ipc", "user", "cgroup", "net", "pid")}

    def of(self, text):
        text = re.sub(r"/#\d+ \(deleted\)$", "/#inode (deleted)", GHOST.sub(" (deleted)", text))     # O_TMPFILE
        return re.sub(r"(pipe|socket|mnt|net|time|pid|uts|ipc|user|cgroup):\[(\d+)\]", lambda m: f"{m[1]}:own" if m[0] in self.own else
                      f"{m[1]}:#{self.seen.setdefault(m[0], len(self.seen))}", text)


def merged_maps(pid):
    """maps with VmFlags, similar adjacent mappings joined: the kernel merges and splits them at will."""
    areas = []
    for line in text_of(f"/proc/{pid}/smaps").splitlines():
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) (\S+) (\S+) (\d+)\s*(.*)", line)
        if m:
            name = GHOST.sub(" (deleted)", m[7])
            inode = m[6] if name.startswith(("/", "")) and "(deleted)" not in name else "-"
            if name.startswith(("/dev/zero", "anon_inode:", "socket:")):
                inode, name = "-", name.split("[")[0] if name.startswith("socket:") else name
            areas.append([int(m[1], 16), int(m[2], 16), m[3], int(m[4], 16), m[5], inode, name, ""])
        elif line.startswith("VmFlags:"):
            areas[-1][7] = " ".join(sorted(set(line.split()[1:]) & VMFLAGS))
    out = []
    for a in areas:
        last = out[-1] if out else None
        file = a[5] not in ("0",)
        if (last and last[1] == a[0] and last[2] == a[2] and last[4:] == a[4:] and
                (not file or last[3] + last[1] - last[0] == a[3])):
            last[1] = a[1]
        else:
            out.append(list(a))
    return [f"{a[0]:x}-{a[1]:x} {a[2]} {a[3]:x} {a[4]} {a[5]} {a[6]} [{a[7]}]" for a in out]


def fdinfo_lines(pid, fd, link):
    out = []
    for line in text_of(f"/proc/{pid}/fdinfo/{fd}").splitlines():
        key, _, value = line.partition(":")
        if key in ("mnt_id", "eventfd-id", "it_value", "lock", "inotify-id"):
            continue
        if key == "ino" and (not link.startswith("/") or link.startswith("/proc/") or "(deleted)" in link):
            continue
        if key == "tfd":
            line = re.sub(r"\s+pos:.*", "", line)
        # Of io_uring requests: whether the kernel is about to look at one, in the task.
        out.append(re.sub(r", task_works=\d+", "", line))
    return sorted(out)


def kcmp(a, b, what, fa=0, fb=0):
    return libc.syscall(312, a, b, what, fa, fb) == 0


def sharing(pids, fds):
    """Which tasks share which resources, and which descriptors an open file: {key: first owner}."""
    out = {}
    tasks = [int(t) for p in pids for t in sorted(os.listdir(f"/proc/{p}/task"), key=int)]
    for what, name in KCMP.items():
        heads = []
        for t in tasks if len(tasks) < 300 else []:
            head = next((h for h in heads if kcmp(h, t, what)), None)
            if head is None:
                heads.append(t)
            out[f"{t}/shares/{name}"] = str(head or t)
    groups = {}
    for (pid, fd), link in fds.items():
        groups.setdefault(link, []).append((pid, fd))
    for link, members in groups.items():
        heads = []
        for pid, fd in members if len(members) <= 64 else []:
            head = next((h for h in heads if kcmp(h[0], pid, KCMP_FILE, h[1], fd)), None)
            if head is None:
                heads.append((pid, fd))
            out[f"{pid}/fd/{fd}/description"] = str(head or (pid, fd))
    return out


class Snapshot:
    """What /proc shows of a tree: seen is {key: value}, fds is {(pid, fd): link}."""

    def __init__(self):
        self.names, self.seen, self.fds = Names(), {}, {}

    def add_tree(self, root):
        pids = tree_of(root)
        alive = [pid for pid in pids if self.add_process(pid)]
        self.seen.update(sharing(alive, self.fds))
        self.seen["pids"] = " ".join(map(str, pids))

    def add_process(self, pid):
        """-> False for a zombie: only its place in the tree is compared."""
        base = f"/proc/{pid}"
        fields = text_of(f"{base}/stat").rpartition(")")[2].split()
        if fields[:1] == ["Z"]:
            self.seen[f"{pid}/zombie"] = " ".join(fields[1:4])
            return False
        for name in ("environ", "cmdline", "auxv"):
            self.seen[f"{pid}/{name}"] = repr(text_of(f"{base}/{name}", binary=True))
        for name in ("comm", "oom_score_adj", "personality", "loginuid", "timers", "limits", "timerslack_ns", "cgroup"):
            self.seen[f"{pid}/{name}"] = text_of(f"{base}/{name}")
        self.seen[f"{pid}/timers"] = re.sub(r"ClockID: (-\d+)", "ClockID: per-task", self.seen[f"{pid}/timers"])
        for name in ("time", "uts", "ipc", "net", "user", "cgroup", "pid"):
            self.seen[f"{pid}/ns/{name}"] = self.names.of(link_of(f"{base}/ns/{name}"))
        for name in ("cwd", "exe", "root"):
            self.seen[f"{pid}/{name}"] = GHOST.sub(" (deleted)", link_of(f"{base}/{name}"))
        self.seen[f"{pid}/maps"] = "\n".join(merged_maps(pid))
        for tid in sorted(os.listdir(f"{base}/task"), key=int):
            self.add_thread(pid, tid)
        for fd in sorted(os.listdir(f"{base}/fd"), key=int):
            self.add_descriptor(pid, fd)
        return True

    def add_thread(self, pid, tid):
        base, key = f"/proc/{pid}/task/{tid}", f"{pid}/{tid}"
        fields = text_of(f"{base}/stat").rpartition(")")[2].split()
        if fields[0] in "TtZX":
            self.seen[f"{key}/state"] = fields[0]
        for number, name in STAT.items():
            self.seen[f"{key}/stat/{name}"] = fields[number - 3]
        for line in text_of(f"{base}/status").splitlines():
            name, _, value = line.partition(":")
            if name in STATUS:
                self.seen[f"{key}/status/{name}"] = value.strip()
        self.seen[f"{key}/children"] = " ".join(sorted(text_of(f"{base}/children").split(), key=int))

    def add_descriptor(self, pid, fd):
        path, key = f"/proc/{pid}/fd/{fd}", f"{pid}/fd/{fd}"
        link = self.fds[pid, int(fd)] = link_of(path)
        self.seen[f"{key}/link"] = self.names.of(link)
        for line in fdinfo_lines(pid, fd, link):
            name, _, value = line.partition(":")
            before = self.seen.get(f"{key}/{name}")
            self.seen[f"{key}/{name}"] = value.strip() if before is None else before + "; " + value.strip()
        try:
            self.seen[f"{key}/mode"] = oct(os.lstat(path).st_mode & 0o700)
        except OSError:
            pass


def snapshot(root):
    """What /proc shows of a tree -> {key: value}, comparable across dump and restore."""
    view = Snapshot()
    view.add_tree(root)
    return view.seen


def differences(before, after, ignore):
    out = []
    for key in sorted(set(before) | set(after)):
        a, b = before.get(key, "<absent>"), after.get(key, "<absent>")
        if a == b or (ignore and re.search(ignore, key)):
            continue
        if "\n" in a or "\n" in b:
            x, y = a.splitlines(), b.splitlines()
            out += [f"{key}: - {line}" for line in x if line not in y][:8]
            out += [f"{key}: + {line}" for line in y if line not in x][:8]
        else:
            out.append(f"{key}: {a[:300]} -> {b[:300]}")
    return out
