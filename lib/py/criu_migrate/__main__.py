# SPDX-License-Identifier: GPL-2.0-only
"""The command line of criu-migrate."""
import argparse
import os
import sys

from .common import Failed, say
from .decision import tell
from .lazy_target import outcome
from .source import migrate
from .target import receive


def command_line(argv):
    p = argparse.ArgumentParser(prog="criu-migrate", description="moves a running process tree to another host",
                                usage="criu-migrate PID [USER@]HOST [OPTION]...")
    p.add_argument("pid", type=int, nargs="?", help="root of the tree")
    p.add_argument("host", nargs="?", help="where it shall run")
    p.add_argument("--pre-copy", metavar="N|auto", help="copy memory while the tree runs, in N rounds, or until nothing is gained")
    p.add_argument("--lazy", action="store_true", help="let the tree run there at once, and move its memory afterwards")
    p.add_argument("--compress", action="store_true", help="compress memory (lz4)")
    p.add_argument("-j", "--shell-job", action="store_true", help="as dump and restore")
    p.add_argument("--tcp-established", action="store_true", help="as dump and restore: connections move along")
    p.add_argument("-l", "--file-locks", action="store_true", help="as dump")
    p.add_argument("--dump-option", action="append", default=[], metavar="OPTION", help="another option for criu dump")
    p.add_argument("--restore-option", action="append", default=[], metavar="OPTION", help="another option for criu restore")
    p.add_argument("--rsync", action="append", default=[], metavar="PATH", help="first copy this file or directory to the host")
    p.add_argument("--rsh", default="ssh -o ServerAliveInterval=5 -o ServerAliveCountMax=4", metavar="COMMAND", help="instead of ssh; it gets HOST and a command")
    p.add_argument("--criu", default="criu", metavar="PATH", help="the program criu here")
    p.add_argument("--remote-criu", default="criu", metavar="PATH", help="and there")
    p.add_argument("--remote-program", default="criu-migrate", metavar="PATH", help="this program there")
    p.add_argument("--dir", default="/var/tmp", help="for images (default: %(default)s)")
    p.add_argument("--remote-dir", default="/var/tmp", metavar="DIR", help="the same at the host (default: %(default)s)")
    p.add_argument("--tell", nargs=2, metavar=("DIR", "go|abort"), help="at the target: lets a copy that waits in DIR run, or removes it")
    p.add_argument("--outcome", help=argparse.SUPPRESS)
    p.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    o = p.parse_args(argv)
    if o.pre_copy and o.pre_copy != "auto" and not (o.pre_copy.isdigit() and int(o.pre_copy) > 0):
        p.error(f"--pre-copy: a number of rounds or auto is expected, not '{o.pre_copy}'")
    if not (o.receive or o.outcome or o.tell) and (o.pid is None or o.host is None):
        p.error("PID and HOST are needed")
    if o.lazy and o.compress:
        p.error("--lazy and --compress are mutually exclusive, as for criu dump --lazy-pages")
    if o.tell and o.tell[1] not in ("go", "abort"):
        p.error("--tell: go or abort is expected")
    return o


def main(argv):
    o = command_line(argv)
    o.program = os.path.realpath(sys.argv[0])
    try:
        if o.outcome:
            return outcome(o.outcome)
        if o.tell:
            tell(*o.tell)
        elif o.receive:
            receive(o)
        else:
            migrate(o)
    except (Failed, OSError) as e:
        say(e)
        return 1
    return 0

