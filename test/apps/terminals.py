# SPDX-License-Identifier: GPL-2.0-only
"""Programs on terminals: one that a thread watches from outside the frozen tree, and a tmux server in it."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import threading
import time
from tools import TMP, Failed, last_lines, sh, statuses, wait_for

ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": TMP, "LANG": "C.UTF-8", "TERM": "screen",
       "SHELL": "/bin/bash", "PS1": "ready> "}
BASH = ["/bin/bash", "--norc", "--noprofile", "-i"]


class Terminal:
    """A program (an interactive shell) on a new terminal. All its output is read at once; .text is the part not
    consumed yet."""

    def __init__(self, argv=None, rows=24, columns=80, env=None):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            try:
                os.closerange(3, 256)
                os.chdir(TMP)
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
                os.execve((argv or BASH)[0], argv or BASH, {**ENV, **(env or {})})
            finally:
                os._exit(127)
        self.text, self.lock = "", threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            with self.lock:
                self.text += data.decode(errors="replace")
            if not data:
                return

    def see(self, what, seconds=60):
        try:
            found = wait_for(lambda: re.search(what, self.text), "x", seconds)
        except Failed:
            raise Failed(f"the terminal does not show {what!r}: {self.text[-500:]!r}") from None
        with self.lock:
            self.text = self.text[found.end():]
        return found

    def type(self, text):
        data = text.encode()
        while data:
            select.select([], [self.fd], [], 60)
            data = data[os.write(self.fd, data):]

    def ended(self):
        return self.pid in statuses


class Tmux:
    """A server with one session and no clients: it is frozen itself, or a program in it is."""

    def __init__(self, name="socket"):
        self.command = f"env -u TMUX TERM=screen HOME={TMP} LANG=C.UTF-8 SHELL=/bin/bash tmux -f /dev/null -S {TMP}/{name}"
        sh(f"rm -f {TMP}/{name}")

    def __call__(self, line, check=True):
        return sh(f"{self.command} {line}", check=check)

    def start(self, window="one", command="", columns=90, rows=25):
        self(f"new-session -d -s main -x {columns} -y {rows} -n {window} {command}")
        return int(self("display-message -p '#{pid}'"))

    def screen(self, window="one"):
        return self(f"capture-pane -p -t main:{window}", check=False)

    def see(self, text, window="one", seconds=60):
        last = [""]

        def look():
            last[0] = self.screen(window)
            return re.search(text, last[0], re.M)
        try:
            return wait_for(look, "x", seconds)
        except Failed:
            raise Failed(f"window {window} does not show {text!r} but: {last_lines(last[0].rstrip(), 12)}") from None

    def type(self, keys, window="one"):
        """@keys in tmux notation: 'text' Enter C-c"""
        self(f"send-keys -t main:{window} {keys}")

    def still(self, window="one", seconds=60):
        """The contents of the window once they have not changed for a while."""
        end = time.monotonic() + seconds
        was = self.screen(window)
        while time.monotonic() < end:
            time.sleep(0.5)
            now = self.screen(window)
            if now == was:
                return now
            was = now
        raise Failed(f"window {window} keeps changing: {last_lines(was.rstrip(), 12)}")
