# SPDX-License-Identifier: LGPL-2.1-only
"""Values as people write them: crit decode --pretty. What each function writes, its counterpart reads again."""
import ipaddress


def _flags(**names):
    return {name: value for name, value in names.items()}


OPEN_FLAGS = _flags(
    O_WRONLY=0o1, O_RDWR=0o2, O_CREAT=0o100, O_EXCL=0o200, O_NOCTTY=0o400, O_TRUNC=0o1000, O_APPEND=0o2000,
    O_NONBLOCK=0o4000, O_DSYNC=0o10000, FASYNC=0o20000, O_DIRECT=0o40000, O_LARGEFILE=0o100000, O_DIRECTORY=0o200000,
    O_NOFOLLOW=0o400000, O_NOATIME=0o1000000, O_CLOEXEC=0o2000000)
PROT = _flags(PROT_READ=1, PROT_WRITE=2, PROT_EXEC=4)
MAP_FLAGS = _flags(MAP_SHARED=1, MAP_PRIVATE=2, MAP_ANON=0x20, MAP_GROWSDOWN=0x100)
VMA_STATUS = _flags(
    VMA_AREA_REGULAR=1 << 0, VMA_AREA_STACK=1 << 1, VMA_AREA_VSYSCALL=1 << 2, VMA_AREA_VDSO=1 << 3, VMA_AREA_HEAP=1 << 5,
    VMA_FILE_PRIVATE=1 << 6, VMA_FILE_SHARED=1 << 7, VMA_ANON_SHARED=1 << 8, VMA_ANON_PRIVATE=1 << 9,
    VMA_AREA_SYSVIPC=1 << 10, VMA_AREA_SOCKET=1 << 11, VMA_AREA_VVAR=1 << 12, VMA_AREA_AIORING=1 << 13,
    VMA_AREA_MEMFD=1 << 14, VMA_AREA_SHSTK=1 << 15, VMA_AREA_GUARD=1 << 16, VMA_UNSUPP=1 << 31)
SEALS = _flags(F_SEAL_SEAL=1, F_SEAL_SHRINK=2, F_SEAL_GROW=4, F_SEAL_WRITE=8, F_SEAL_FUTURE_WRITE=16)
PAGEMAP_FLAGS = _flags(PE_PARENT=1, PE_LAZY=2, PE_PRESENT=4)

FAMILIES = {"UNIX": 1, "INET": 2, "INET6": 10, "NETLINK": 16, "PACKET": 17}
TYPES = {"STREAM": 1, "DGRAM": 2, "RAW": 3, "SEQPACKET": 5, "PACKET": 10}
STATES = {"ESTABLISHED": 1, "SYN_SENT": 2, "SYN_RECV": 3, "FIN_WAIT1": 4, "FIN_WAIT2": 5, "TIME_WAIT": 6, "CLOSE": 7,
          "CLOSE_WAIT": 8, "LAST_ACK": 9, "LISTEN": 10}
PROTOCOLS = {"IP": 0, "TCP": 6, "UDP": 17, "UDPLITE": 136}
TASK_STATES = {"Alive": 1, "Dead": 2, "Stopped": 3}


def number(value):
    """As crit writes it, or as a person does: 12, "12", "0xc"."""
    return int(value, 0) if isinstance(value, str) else value


class Hex:
    @staticmethod
    def write(value):
        return f"0x{value:x}" if value >= 0 else f"-0x{-value:x}"

    read = staticmethod(number)


class Flags:
    def __init__(self, names):
        self.names = names

    def write(self, value):
        words = [name for name, bit in self.names.items() if value & bit]
        rest = value & ~sum(self.names.values())
        return " | ".join(words + ([f"0x{rest:x}"] if rest else []))

    def read(self, value):
        if not isinstance(value, str):
            return value
        words = [word.strip() for word in value.split("|")]
        result = 0
        for word in words:
            if word:
                result |= self.names[word] if word in self.names else number(word)
        return result


class Names:
    def __init__(self, names):
        self.names = names
        self.by_value = {value: name for name, value in names.items()}

    def write(self, value):
        return self.by_value.get(value, value)

    def read(self, value):
        return self.names[value] if value in self.names else number(value)


class Device:
    """MAJOR:MINOR, in the kernel's own encoding, or in that of stat(2)."""

    def __init__(self, kernel):
        self.kernel = kernel

    def write(self, value):
        if self.kernel:
            return f"{value >> 20}:{value & 0xfffff}"
        return f"{value >> 8 & 0xfff}:{value & 0xff | value >> 12 & 0xfff00}"

    def read(self, value):
        if not isinstance(value, str) or ":" not in value:
            return number(value)
        major, minor = (int(part) for part in value.split(":"))
        if self.kernel:
            return major << 20 | minor
        return minor & 0xff | major << 8 | (minor & 0xfff00) << 12


class Address:
    """A whole list: one number is an IPv4 address, four are one of IPv6. As bytes they are in the order of the network."""

    @staticmethod
    def write(values):
        if len(values) not in (1, 4):
            return list(values)
        packed = b"".join(value.to_bytes(4, "little") for value in values)
        return [str(ipaddress.ip_address(packed))]

    @staticmethod
    def read(values):
        result = []
        for value in values:
            if isinstance(value, str) and ("." in value or ":" in value):
                packed = ipaddress.ip_address(value).packed
                result += [int.from_bytes(packed[i:i + 4], "little") for i in range(0, len(packed), 4)]
            else:
                result.append(number(value))
        return result


_HEX = """
signalfd_entry: flags sigmask
inotify_file_entry: flags
inotify_wd_entry: mask ignored_mask
fanotify_file_entry: flags faflags evflags
fanotify_mark_entry: mflags mask ignored_mask
thread_info_x86: clear_tid_addr
user_x86_regs_entry: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss fs_base gs_base ds es fs gs
task_core_entry: blk_sigset blk_sigset_extended
sa_entry: sigaction flags restorer mask mask_extended
mm_entry: mm_start_code mm_end_code mm_start_data mm_end_data mm_start_stack mm_start_brk mm_brk mm_arg_start mm_arg_end
mm_entry: mm_env_start mm_env_end
vma_entry: start end madv fdflags
pagemap_entry: vaddr
pipe_entry: flags
unix_sk_entry: flags uflags
inet_sk_entry: flags
packet_sock_entry: flags
netlink_sk_entry: flags
tcp_stream_entry: opt_mask
mnt_entry: flags sb_flags
net_device_entry: flags
tun_link_entry: flags
tty_file_entry: flags
timerfd_entry: flags settime_flags
"""

# (message, field) -> how it is written
FORMATS = {(line.split(":")[0], field): Hex for line in _HEX.split("\n") if line for field in line.split(":")[1].split()}
FORMATS.update({
    ("reg_file_entry", "flags"): Flags(OPEN_FLAGS),
    ("memfd_file_entry", "flags"): Flags(OPEN_FLAGS),
    ("bpfmap_file_entry", "flags"): Flags(OPEN_FLAGS),
    ("vma_entry", "prot"): Flags(PROT),
    ("vma_entry", "flags"): Flags(MAP_FLAGS),
    ("vma_entry", "status"): Flags(VMA_STATUS),
    ("memfd_inode_entry", "seals"): Flags(SEALS),
    ("pagemap_entry", "flags"): Flags(PAGEMAP_FLAGS),
    ("inet_sk_entry", "family"): Names(FAMILIES),
    ("inet_sk_entry", "type"): Names(TYPES),
    ("inet_sk_entry", "state"): Names(STATES),
    ("inet_sk_entry", "proto"): Names(PROTOCOLS),
    ("unix_sk_entry", "type"): Names(TYPES),
    ("unix_sk_entry", "state"): Names(STATES),
    ("task_core_entry", "task_state"): Names(TASK_STATES),
    ("inotify_wd_entry", "s_dev"): Device(kernel=True),
    ("fanotify_mark_entry", "s_dev"): Device(kernel=True),
    ("ghost_file_entry", "dev"): Device(kernel=True),
    ("ghost_file_entry", "rdev"): Device(kernel=False),
    ("mnt_entry", "root_dev"): Device(kernel=True),
    ("irmap_cache_entry", "dev"): Device(kernel=False),
})
ADDRESSES = {("inet_sk_entry", "src_addr"), ("inet_sk_entry", "dst_addr"), ("sit_entry", "local"), ("sit_entry", "remote"),
             ("sit_entry", "rd_prefix"), ("sit_entry", "relay_prefix")}
