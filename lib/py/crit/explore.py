# SPDX-License-Identifier: LGPL-2.1-only
"""What is in a directory of images: processes, descriptors, mappings, resident pages."""
import os

import pycriu.images

PAGE = 4096
FILE_PRIVATE, FILE_SHARED, ANON_SHARED = 1 << 6, 1 << 7, 1 << 8
GROWS_DOWN = 0x100
STACK, VSYSCALL, VDSO, HEAP, SYSV, VVAR = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 10, 1 << 12
SOCKET, AIO, MEMFD = 1 << 11, 1 << 13, 1 << 14


class Images:
    """Those of one directory; a file is read once."""

    def __init__(self, folder):
        self.folder = folder
        self.files_by_id = None

    def load(self, name, pretty=False):
        with open(os.path.join(self.folder, name), "rb") as f:
            return pycriu.images.load(f, pretty)["entries"]

    def maybe(self, name):
        """[] without the file: a zombie has neither memory nor descriptors."""
        try:
            return self.load(name)
        except FileNotFoundError:
            return []

    def pids(self):
        return [entry["pid"] for entry in self.load("pstree.img")]

    def file(self, number):
        if self.files_by_id is None:
            self.files_by_id = {entry["id"]: entry for entry in self.maybe("files.img")}
            for entry in self.maybe("reg-files.img"):
                self.files_by_id.setdefault(entry["id"], {"type": "REG", "id": entry["id"], "reg": entry})
        return self.files_by_id.get(number)

    def files_id(self, pid):
        """The number of a process's descriptor table."""
        core = self.load(f"core-{pid}.img")[0]
        ids = self.maybe(f"ids-{pid}.img") or ([core["ids"]] if "ids" in core else [])
        return ids[0]["files_id"] if ids else None


def _unix_name(entry):
    name = f" {entry['name']}" if entry.get("name") else ""
    return f"unix[{entry['ino']} ({entry['peer']}){name}]"


def file_text(images, number, kind=None):
    """A file as one reads it: its path, or its type with what tells it from others."""
    entry = images.file(number)
    if not entry:
        return f"unknown file {number}" if kind is None else f"{kind}.{number}"
    if "reg" in entry:
        return entry["reg"]["name"]
    if "pipe" in entry:
        return f"pipe[{entry['pipe']['pipe_id']}]"
    if "usk" in entry:
        return _unix_name(entry["usk"])
    return f"{entry['type']}.{number}"


def ps(folder, out):
    images = Images(folder)
    depth = {}
    entries = images.load("pstree.img")
    out.write(f"{'PID':>7}{'PGID':>7}{'SID':>7}   COMM\n")
    children = {}
    for entry in entries:
        children.setdefault(entry["ppid"], []).append(entry)
    known = {entry["pid"] for entry in entries}
    # Parents first, each followed by its children: a process from outside the tree is a root of its own.
    waiting = [entry for entry in reversed(entries) if entry["ppid"] not in known]
    while waiting:
        entry = waiting.pop()
        pid = entry["pid"]
        level = depth[pid] = depth.get(entry["ppid"], -1) + 1
        core = images.load(f"core-{pid}.img")[0]
        out.write(f"{pid:7}{entry['pgid']:7}{entry['sid']:7}   {' ' * (4 * level)}{core.get('tc', {}).get('comm', '')}\n")
        waiting += [child for child in reversed(children.get(pid, ())) if child["pid"] not in depth]


def fds(folder, out):
    images = Images(folder)
    for pid in images.pids():
        number = images.files_id(pid)
        if number is None:
            continue
        out.write(f"{pid}\n")
        for entry in images.maybe(f"fdinfo-{number}.img"):
            out.write(f"\t{entry['fd']:7}: {file_text(images, entry['id'], entry['type'])}\n")
        for fs in images.maybe(f"fs-{pid}.img"):
            out.write(f"\t{'cwd':>7}: {file_text(images, fs['cwd_id'])}\n\t{'root':>7}: {file_text(images, fs['root_id'])}\n")


def _mapped(images, vma):
    """What a mapping shows, as a suffix of its line."""
    status = vma["status"]
    if status & (FILE_PRIVATE | FILE_SHARED) or status & MEMFD:
        offset = f" + 0x{vma['pgoff']:x}" if vma["pgoff"] else ""
        return f" {file_text(images, vma['shmid'])}{offset}"
    for bit, text in ((STACK, "[stack?]"), (VSYSCALL, "[vsyscall]"), (VDSO, "[vdso]"), (VVAR, "[vvar]"), (HEAP, "[heap]"),
                      (AIO, "[aio]"), (SOCKET, "[socket]"), (SYSV, f"ips[{vma['shmid']}]"),
                      (ANON_SHARED, f"shmem[{vma['shmid']}]")):
        if status & bit:
            return f" {text}"
    return " [stack?]" if vma["flags"] & GROWS_DOWN else ""


def _protection(prot):
    return "".join(letter if prot & bit else "-" for letter, bit in (("r", 1), ("w", 2), ("x", 4)))


def _vmas(images, pid, mm):
    return mm.get("vmas") or images.maybe(f"vmas-{pid}.img")


def mems(folder, out):
    images = Images(folder)
    for pid in images.pids():
        for mm in images.maybe(f"mm-{pid}.img"):
            out.write(f"{pid}\n\t{'exe':36}    {file_text(images, mm['exe_file_id'])}\n")
            for vma in _vmas(images, pid, mm):
                region = f"{vma['start']:08x}-{vma['end']:08x}"
                special = "" if vma["status"] & 1 else " *"
                out.write(f"\t{region:36}{_protection(vma['prot'])}{_mapped(images, vma)}{special}\n")


def _file_name(images, vma):
    return " " + file_text(images, vma["shmid"]) if vma["status"] & (FILE_PRIVATE | FILE_SHARED) else ""


def _runs(images, pid):
    """(address, pages) of what was resident."""
    return [(entry["vaddr"], entry.get("nr_pages") or entry.get("compat_nr_pages", 0))
            for entry in images.maybe(f"pagemap-{pid}.img")[1:]]


def rss(folder, out):
    """Runs of resident pages, beside the mappings that they are in: a run can go over several of these."""
    images = Images(folder)
    for pid in images.pids():
        for mm in images.maybe(f"mm-{pid}.img"):
            out.write(f"{pid}\n")
            vmas = _vmas(images, pid, mm)
            shown = None
            for start, pages in _runs(images, pid):
                end = start + pages * PAGE
                inside = [vma for vma in vmas if vma["start"] < end and start < vma["end"]]
                left = f"{start:x} / {pages}"
                for vma in inside or [None]:
                    if vma is None:
                        right = ""
                    elif vma is shown:
                        right = "~"
                    else:
                        right = f"{vma['start']:08x} / {(vma['end'] - vma['start']) // PAGE}"
                        right = f"{right:20}{_file_name(images, vma)}".rstrip()
                    out.write(f"\t{left:24}{right}".rstrip() + "\n")
                    shown, left = vma, ""


EXPLORERS = {"ps": ps, "fds": fds, "mems": mems, "rss": rss}
