# SPDX-License-Identifier: LGPL-2.1-only
"""All messages of the images: pb.core_entry and so on. A module is loaded when a message of it is first used."""
import importlib

# The modules of the messages with which records begin; others are found by searching all modules.
_modules = {
    "aa_policy": "apparmor", "apparmor_entry": "apparmor", "autofs_entry": "autofs", "binfmt_misc_entry": "binfmt-misc",
    "bpfmap_data_entry": "bpfmap-data", "bpfmap_file_entry": "bpfmap-file", "cgroup_entry": "cgroup", "core_entry": "core",
    "cpuinfo_entry": "cpuinfo", "creds_entry": "creds", "eventfd_file_entry": "eventfd",
    "eventpoll_file_entry": "eventpoll", "eventpoll_tfd_entry": "eventpoll", "ext_file_entry": "ext-file",
    "fanotify_file_entry": "fsnotify", "fanotify_mark_entry": "fsnotify", "fdinfo_entry": "fdinfo", "fifo_entry": "fifo",
    "file_entry": "fdinfo", "file_lock_entry": "file-lock", "fs_entry": "fs", "ghost_chunk_entry": "ghost-file",
    "ghost_file_entry": "ghost-file", "inet_sk_entry": "sk-inet", "inotify_file_entry": "fsnotify",
    "inotify_wd_entry": "fsnotify", "inventory_entry": "inventory", "ipc_msg": "ipc-msg", "ipc_msg_entry": "ipc-msg",
    "ipc_sem_entry": "ipc-sem", "ipc_shm_entry": "ipc-shm", "ipc_var_entry": "ipc-var", "irmap_cache_entry": "fh",
    "itimer_entry": "timer", "memfd_inode_entry": "memfd", "mm_entry": "mm", "mnt_entry": "mnt",
    "net_device_entry": "netdev", "netlink_sk_entry": "sk-netlink", "netns_entry": "netdev", "ns_file_entry": "ns",
    "packet_sock_entry": "packet-sock", "pagemap_entry": "pagemap", "pagemap_head": "pagemap", "pidfd_entry": "pidfd",
    "pidns_entry": "pidns", "pipe_data_entry": "pipe-data", "pipe_entry": "pipe", "posix_timer_entry": "timer",
    "pstree_entry": "pstree", "reg_file_entry": "regfile", "remap_file_path_entry": "remap-file-path",
    "rlimit_entry": "rlimit", "sa_entry": "sa", "seccomp_entry": "seccomp", "siginfo_entry": "siginfo",
    "signalfd_entry": "signalfd", "sk_packet_entry": "sk-packet", "stats_entry": "stats",
    "task_kobj_ids_entry": "core", "tcp_stream_entry": "tcp-stream", "timens_entry": "timens",
    "timerfd_entry": "timerfd", "tty_data_entry": "tty", "tty_file_entry": "tty", "tty_info_entry": "tty",
    "tunfile_entry": "tun", "unix_sk_entry": "sk-unix", "userns_entry": "userns", "utsns_entry": "utsns",
    "vma_entry": "vma",
}


def _module(proto):
    return importlib.import_module("." + proto.replace("-", "_") + "_pb2", __package__)


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(name)
    proto = _modules.get(name)
    if not proto:
        from ._protos import PROTOS
        proto = next((p for p in PROTOS if hasattr(_module(p), name)), None)
        if not proto:
            raise AttributeError(f"no message {name}")
    value = globals()[name] = getattr(_module(proto), name)
    return value
