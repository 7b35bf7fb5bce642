# SPDX-License-Identifier: GPL-2.0-only
"""
Two "hosts" for tests of criu-migrate: this one, and a pid and mount namespace; and a command in the place of ssh. Import it after enter().
"""
import contextlib
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)) + "/../apps")
from tools import *  # noqa: E402,F403

MIGRATE = os.path.join(os.environ["BUILD"], "criu-migrate")


def start_host():
    """The other one -> pid of its init"""
    init = "import signal, time; signal.signal(signal.SIGCHLD, signal.SIG_IGN); open('up', 'w'); time.sleep(1000)"
    maker = spawn(["unshare", "--pid", "--mount", "--fork", "--mount-proc", "python3", "-c", init])
    wait_for(lambda: text_of(f"/proc/{maker}/task/{maker}/children").strip(), "the other host")
    return int(text_of(f"/proc/{maker}/task/{maker}/children"))


HOST = start_host()
# Numbers that are free there, too.
with open("/proc/sys/kernel/ns_last_pid", "w") as f:
    f.write("1000")
wait_for(lambda: os.path.exists(tmp("up")), "the other host")
HERE, THERE = (os.readlink(f"/proc/{p}/ns/pid") for p in (os.getpid(), HOST))
# As with ssh, it is a process of its own that has both ends of the connection.
RSH = put("rsh", f"""#!/usr/bin/python3
import os, subprocess, sys, threading
p = subprocess.Popen(["nsenter", "-t", "{HOST}", "-p", "-m", "--", "sh", "-c", " ".join(sys.argv[2:])], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE)


def copy(src, dst):
    try:
        while data := os.read(src, 1 << 16):
            while data:
                data = data[os.write(dst, data):]
    except OSError:
        pass
    os.close(dst)


threading.Thread(target=copy, args=(0, p.stdin.fileno()), daemon=True).start()
copy(p.stdout.fileno(), 1)
os._exit(p.wait() & 255)
""", 0o755)
SAME = put("same", '#!/bin/sh\nshift\nexec sh -c "$*"\n', 0o755)
for name in ("a", "b"):
    os.mkdir(tmp(name))


def start_migrate(pid, *options, rsh=RSH, out="migrate.out"):
    return spawn(["python3", MIGRATE, str(pid), "host", "--rsh", rsh, "--criu", CRIU, "--remote-criu", CRIU, "--remote-program", MIGRATE,
                  "--dir", tmp("a"), "--remote-dir", tmp("b"), *options], out=out)


def migrate(pid, *options, **kw):
    """-> exit status, output"""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(tmp("migrate.out"))
    return exit_of(start_migrate(pid, *options, **kw), 100), text_of(tmp("migrate.out"))


def busy():
    """Programs of the migration that have not ended yet."""
    found = []
    for pid in live_pids() - {os.getpid()}:
        line = text_of(f"/proc/{pid}/cmdline")
        if MIGRATE in line or f"{CRIU}\0dump" in line or f"{CRIU}\0restore" in line or f"{CRIU}\0lazy-pages" in line:
            found.append((pid, line.replace("\0", " ")))
    return found


def victim(what, main):
    """The process to kill: of the source, of the connection, or of the target."""
    if what == "the program":
        return main
    for pid in live_pids():
        line = text_of(f"/proc/{pid}/cmdline")
        if what == "the connection" and f"\0{RSH}\0" in line and "--receive" in line:
            return pid
        if what in ("the receiver", "the holder of the copy") and f"{MIGRATE}\0--receive\0" in line and \
                text_of(f"/proc/{pid}/comm").startswith("migrate-hold") == (what == "the holder of the copy"):
            return pid
        # Not the one that only shows its options (criu_options.py).
        if what in ("the dump", "the restore") and line.startswith(f"{CRIU}\0{what.split()[1]}\0") and "\0--show-options\0" not in line:
            return pid
        if what in ("the daemon", "the holder") and line.startswith(f"{CRIU}\0lazy-pages") and \
                text_of(f"/proc/{pid}/comm").startswith("criu-lazy-hold") == (what == "the holder"):
            return pid
    return None
