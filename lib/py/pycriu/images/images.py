# SPDX-License-Identifier: LGPL-2.1-only
"""Images as dictionaries: {"magic": NAME, "entries": [RECORD, ...]}. What follows a record is its key "extra"."""
import io
import struct

from . import magic, payload, pb
from .pb2dict import UNKNOWN, dict2pb, pb2dict

SERVICE = ("STATS", "IRMAP_CACHE")


class MagicException(Exception):
    """The image begins with a number that is no type's."""

    def __init__(self, magic_):
        super().__init__(magic_)
        self.magic = magic_


def _u32(f):
    data = f.read(4)
    if len(data) != 4:
        raise EOFError("the image ends within a number")
    return struct.unpack("<I", data)[0]


def _human(size):
    for unit in ("B", "K", "M", "G", "T"):
        if size < 1024 or unit == "T":
            return f"{size:.4g}{unit if unit == 'B' else unit + 'B'}"
        size /= 1024


def _has_unknown(value):
    if isinstance(value, dict):
        return UNKNOWN in value or any(map(_has_unknown, value.values()))
    return isinstance(value, list) and any(map(_has_unknown, value))


def _packed(record, values):
    """A required enum whose value is unknown counts as missing, although it is there."""
    return record.SerializePartialToString() if _has_unknown(values) else record.SerializeToString()


class Handler:
    """The records of a type. rest: the message of all records but the first, if it is another one."""

    def __init__(self, message, rest=None, extra=None, rest_extra=None):
        self.names = (message, rest or message)
        self.extras = (extra, rest_extra if rest else extra)

    def _of(self, nth):
        return getattr(pb, self.names[nth > 0]), self.extras[nth > 0]

    def _records(self, f):
        nth = 0
        while True:
            head = f.read(4)
            if not head:
                return
            if len(head) != 4:
                raise EOFError("the image ends within the size of a record")
            size = struct.unpack("<I", head)[0]
            data = f.read(size)
            if len(data) != size:
                raise EOFError(f"the image ends within record {nth}")
            message, extra = self._of(nth)
            record = message()
            record.ParseFromString(data)
            yield record, extra
            nth += 1

    def load(self, f, pretty=False, no_payload=False):
        entries = []
        for record, extra in self._records(f):
            entry = pb2dict(record, pretty)
            if extra and no_payload:
                size = extra.skip(f, record)
                if size is not None:
                    entry["extra"] = f"... <{_human(size)}>"
            elif extra:
                value = extra.load(f, record)
                if value is not None:
                    entry["extra"] = value
            entries.append(entry)
        return entries

    def loads(self, s, pretty=False):
        return self.load(io.BytesIO(s), pretty)

    def dump(self, entries, f):
        for nth, entry in enumerate(entries):
            message, extra = self._of(nth)
            values = {key: value for key, value in entry.items() if key != "extra"}
            record = dict2pb(values, message())
            packed = _packed(record, values)
            f.write(struct.pack("<I", len(packed)) + packed)
            if extra and "extra" in entry:
                extra.dump(entry["extra"], f, record)
            elif "extra" in entry:
                raise ValueError(f"nothing can follow record {nth} of this type")

    def dumps(self, entries):
        f = io.BytesIO()
        self.dump(entries, f)
        return f.getvalue()

    def count(self, f):
        entries = 0
        for record, extra in self._records(f):
            if extra:
                extra.skip(f, record)
            entries += 1
        return entries


_bytes = payload.Bytes
handlers = {
    "INVENTORY": Handler("inventory_entry"),
    "FDINFO": Handler("fdinfo_entry"),
    "PAGEMAP": Handler("pagemap_head", "pagemap_entry"),
    "REG_FILES": Handler("reg_file_entry"),
    "EXT_FILES": Handler("ext_file_entry"),
    "NS_FILES": Handler("ns_file_entry"),
    "EVENTFD_FILE": Handler("eventfd_file_entry"),
    "EVENTPOLL_FILE": Handler("eventpoll_file_entry"),
    "EVENTPOLL_TFD": Handler("eventpoll_tfd_entry"),
    "SIGNALFD": Handler("signalfd_entry"),
    "INOTIFY_FILE": Handler("inotify_file_entry"),
    "INOTIFY_WD": Handler("inotify_wd_entry"),
    "FANOTIFY_FILE": Handler("fanotify_file_entry"),
    "FANOTIFY_MARK": Handler("fanotify_mark_entry"),
    "CORE": Handler("core_entry"),
    "IDS": Handler("task_kobj_ids_entry"),
    "MM": Handler("mm_entry"),
    "VMAS": Handler("vma_entry"),
    "PIPES": Handler("pipe_entry"),
    "PIPES_DATA": Handler("pipe_data_entry", extra=_bytes(lambda record: record.bytes)),
    "FIFO": Handler("fifo_entry"),
    "FIFO_DATA": Handler("pipe_data_entry", extra=_bytes(lambda record: record.bytes)),
    "PSTREE": Handler("pstree_entry"),
    "SIGACT": Handler("sa_entry"),
    "UNIXSK": Handler("unix_sk_entry"),
    "INETSK": Handler("inet_sk_entry"),
    "PACKETSK": Handler("packet_sock_entry"),
    "NETLINK_SK": Handler("netlink_sk_entry"),
    "SK_QUEUES": Handler("sk_packet_entry", extra=_bytes(lambda record: record.length)),
    "ITIMERS": Handler("itimer_entry"),
    "POSIX_TIMERS": Handler("posix_timer_entry"),
    "CREDS": Handler("creds_entry"),
    "UTSNS": Handler("utsns_entry"),
    "IPC_VAR": Handler("ipc_var_entry"),
    "IPCNS_SHM": Handler("ipc_shm_entry", extra=_bytes(lambda record: 0 if record.in_pagemaps else record.size, pad=4)),
    "IPCNS_MSG": Handler("ipc_msg_entry", extra=payload.Messages()),
    "IPCNS_SEM": Handler("ipc_sem_entry", extra=payload.Semaphores()),
    "FS": Handler("fs_entry"),
    "REMAP_FPATH": Handler("remap_file_path_entry"),
    "GHOST_FILE": Handler("ghost_file_entry", "ghost_chunk_entry", payload.MaybeRest(), _bytes(lambda record: record.len)),
    "MEMFD_INODE": Handler("memfd_inode_entry"),
    "TCP_STREAM": Handler("tcp_stream_entry", extra=payload.TcpStream()),
    "MNTS": Handler("mnt_entry"),
    "NETDEV": Handler("net_device_entry"),
    "NETNS": Handler("netns_entry"),
    "AUTOFS": Handler("autofs_entry"),
    "BINFMT_MISC": Handler("binfmt_misc_entry"),
    "TTY_FILES": Handler("tty_file_entry"),
    "TTY_INFO": Handler("tty_info_entry"),
    "TTY_DATA": Handler("tty_data_entry"),
    "FILE_LOCKS": Handler("file_lock_entry"),
    "RLIMIT": Handler("rlimit_entry"),
    "SIGNAL": Handler("siginfo_entry"),
    "TUNFILE": Handler("tunfile_entry"),
    "CGROUP": Handler("cgroup_entry"),
    "TIMERFD": Handler("timerfd_entry"),
    "CPUINFO": Handler("cpuinfo_entry"),
    "SECCOMP": Handler("seccomp_entry"),
    "USERNS": Handler("userns_entry"),
    "FILES": Handler("file_entry"),
    "TIMENS": Handler("timens_entry"),
    "PIDNS": Handler("pidns_entry"),
    "BPFMAP_FILE": Handler("bpfmap_file_entry"),
    "BPFMAP_DATA": Handler("bpfmap_data_entry", extra=_bytes(lambda record: record.keys_bytes + record.values_bytes)),
    "APPARMOR": Handler("apparmor_entry"),
    "PIDFD": Handler("pidfd_entry"),
    "STATS": Handler("stats_entry"),
    "CHECKSUMS": Handler("checksums_entry"),
    "PAGE_CHECKSUMS": Handler("checksums_entry"),
    "SENT_PAGES": Handler("sent_pages_entry"),
    "IRMAP_CACHE": Handler("irmap_cache_entry"),
}


def _handler(name):
    # SHMEM_PAGEMAP and PAGEMAP, PSIGNAL and SIGNAL are one number.
    handler = handlers.get(magic.by_val.get(magic.by_name.get(name)))
    if not handler:
        raise Exception(f"No handler found for image with magic {name}")
    return handler


def _handler_of(f):
    value = _u32(f)
    if value in (magic.by_name["IMG_COMMON"], magic.by_name["IMG_SERVICE"]):
        value = _u32(f)
    name = magic.by_val.get(value)
    if name not in handlers:
        raise MagicException(value)
    return name, handlers[name]


def load(f, pretty=False, no_payload=False):
    """The image in a file that was opened for reading bytes."""
    name, handler = _handler_of(f)
    return {"magic": name, "entries": handler.load(f, pretty, no_payload)}


def loads(s, pretty=False):
    return load(io.BytesIO(s), pretty)


def info(f):
    """How many records it has, without reading what follows them."""
    name, handler = _handler_of(f)
    return {"magic": name, "count": handler.count(f)}


def dump(img, f):
    """Writes an image into a file that was opened for writing bytes. Values may be those of --pretty."""
    name = img["magic"]
    handler = _handler(name)
    if name != "INVENTORY":
        f.write(struct.pack("<I", magic.by_name["IMG_SERVICE" if name in SERVICE else "IMG_COMMON"]))
    f.write(struct.pack("<I", magic.by_name[name]))
    handler.dump(img["entries"], f)


def dumps(img):
    f = io.BytesIO()
    dump(img, f)
    return f.getvalue()
