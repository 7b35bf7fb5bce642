# SPDX-License-Identifier: GPL-2.0-only
"""What both sides use."""
import contextlib
import os
import signal

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Interrupts:
    """They wait from its creation on, until they are let through, to where an exception does no harm."""

    def __init__(self):
        self.came = []
        self.handlers = {number: signal.signal(number, self.note) for number in INTERRUPTS}

    def note(self, number, _frame):
        self.came.append(number)

    def let_through(self):
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        for number in self.came[:1]:
            os.kill(os.getpid(), number)


class Failed(Exception):
    """A message for the user."""


class Lost(Failed):
    """The connection has ended."""

    def __init__(self):
        super().__init__("the connection has ended")


def say(text):
    """The terminal may be gone: what depends on us goes on."""
    with contextlib.suppress(OSError):
        os.write(2, f"criu-migrate: {text}\n".encode(errors="replace"))


def mib(size):
    return f"{size / (1 << 20):.1f} MiB"


def reason(path):
    """The first error in a log of criu."""
    try:
        with open(path, errors="replace") as f:
            lines = [line.strip() for line in f if line.strip()]
    except OSError:
        return "there is no log"
    return next((line for line in lines if "Error" in line), lines[-1] if lines else "the log is empty")
