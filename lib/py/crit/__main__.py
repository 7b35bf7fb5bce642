# SPDX-License-Identifier: LGPL-2.1-only
"""The command line of crit."""
import argparse
import contextlib
import json
import os
import sys

import pycriu.images
from pycriu.images import checksums

from . import __version__
from .explore import EXPLORERS


def _open(path, mode, otherwise):
    """A file, or a stream, which stays open."""
    return open(path, mode) if path else contextlib.nullcontext(otherwise)


def _load(args, **how):
    with _open(args["in"], "rb", sys.stdin.buffer) as f:
        return pycriu.images.load(f, **how)


def _print_json(img, out, pretty):
    json.dump(img, out, indent=4 if pretty else None)
    out.write("\n" if pretty else "")


def decode(args):
    img = _load(args, pretty=args["pretty"])
    with _open(args["out"], "w", sys.stdout) as out:
        _print_json(img, out, args["pretty"])
        if out is sys.stdout and not args["pretty"]:
            out.write("\n")


def encode(args):
    with _open(args["in"], "r", sys.stdin) as f:
        img = json.load(f)
    packed = pycriu.images.dumps(img)  # nothing is written if a part of it is wrong
    with _open(args["out"], "wb", sys.stdout.buffer) as out:
        out.write(packed)
    if args["out"]:
        checksums.update(args["out"], packed)


def info(args):
    with open(args["in"], "rb") as f:
        _print_json(pycriu.images.info(f), sys.stdout, True)


def show(args):
    _print_json(_load(args, pretty=True, no_payload=args["nopl"]), sys.stdout, True)


def explore(args):
    EXPLORERS[args["what"]](args["dir"], sys.stdout)


def _parser():
    parser = argparse.ArgumentParser(prog="crit", description="CRiu Image Tool")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(help="Use crit CMD --help for command-specific help")

    command = commands.add_parser("decode", help="convert criu image from binary type to json")
    command.add_argument("--pretty", action="store_true",
                         help="Multiline with indents and some numerical fields in field-specific format")
    command.add_argument("-i", "--in", help="criu image in binary format to be decoded (stdin by default)")
    command.add_argument("-o", "--out", help="where to put criu image in json format (stdout by default)")
    command.set_defaults(func=decode)

    command = commands.add_parser("encode", help="convert criu image from json type to binary")
    command.add_argument("-i", "--in", help="criu image in json format to be encoded (stdin by default)")
    command.add_argument("-o", "--out", help="where to put criu image in binary format (stdout by default)")
    command.set_defaults(func=encode)

    command = commands.add_parser("info", help="show info about image")
    command.add_argument("in")
    command.set_defaults(func=info)

    command = commands.add_parser("x", help="explore image dir")
    command.add_argument("dir")
    command.add_argument("what", choices=list(EXPLORERS))
    command.set_defaults(func=explore)

    command = commands.add_parser("show", help="convert criu image from binary to human-readable json")
    command.add_argument("in")
    command.add_argument("--nopl", action="store_true", help="do not show entry payload (if exists)")
    command.set_defaults(func=show)
    return parser


def main():
    args = vars(_parser().parse_args())
    if "func" not in args:
        sys.stderr.write("usage: crit [-h] {decode,encode,info,x,show} ...\ncrit: error: too few arguments\n")
        sys.exit(1)
    try:
        args["func"](args)
        sys.stdout.flush()
    except pycriu.images.MagicException as e:
        sys.stderr.write(f"Unknown magic 0x{e.magic:x}.\n"
                         "Maybe you are feeding me an image with raw data(i.e. pages.img)?\n")
        sys.exit(1)
    except BrokenPipeError:  # whoever reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as e:  # noqa: BLE001 of images: whatever they contain
        sys.stderr.write(f"crit: {args.get('in') or args.get('dir') or 'stdin'}: {e or type(e).__name__}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
