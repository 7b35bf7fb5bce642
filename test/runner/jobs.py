# SPDX-License-Identifier: GPL-2.0-only
"""Finds the tests, and reads what each of them needs."""
import fnmatch
import glob
import os
import re
import shlex
import sys

from .flavours import FLAVOURS

TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ROOT = os.path.dirname(TESTS)
KIND_TIMEOUT, SCRIPT_TIMEOUT = 60, {"cli": 1800, "compat": 300, "kill": 1200, "apps": 900, "engines": 1200, "fuzz": 900}
DUMPING = ("running", "restored", "thrice")


def read_header(source):
    """The `test:` lines of the first comment of a kind test."""
    want = {"variants": list(DUMPING), "options": [], "restore-options": [], "refused": None, "ignore": None,
            "breaks": 1, "skip": None, "boots": None, "timeout": KIND_TIMEOUT, "decode": False, "net": None, "settle": 100, "flavours": ["host"],
            "user-root": []}
    with open(source) as f:
        head = f.read(4096)
    for line in re.findall(r"^[/ ]*\*\s*test:\s*(.*?)\s*(?:\*/)?\s*$", head, re.M):
        for word in shlex.split(line):
            key, _, value = word.partition("=")
            if key not in want:
                sys.exit(f"{source}: unknown key {key!r} in its test: line")
            if key in ("variants", "flavours", "user-root"):
                want[key] = value.split(",") if value else []
            elif key in ("options", "restore-options"):
                want[key] += value.split(",")
            elif key in ("breaks", "timeout", "settle"):
                want[key] = int(value)
            elif key == "decode":
                want[key] = value == "yes"
            else:
                want[key] = value
    unknown = [flavour for flavour in want["flavours"] + want["user-root"] if flavour not in FLAVOURS]
    if unknown:
        sys.exit(f"{source}: unknown flavour {unknown[0]!r}; known: {' '.join(FLAVOURS)}")
    if want["refused"]:
        want["variants"] = ["refused"]
    return want


def executable(folder):
    return [path for path in sorted(glob.glob(f"{TESTS}/{folder}/*")) if os.path.isfile(path) and os.access(path, os.X_OK)]


def kind_jobs(args):
    """A job for each variant in each flavour; the job's name contains the flavour unless it is `host`."""
    for source in sorted(glob.glob(f"{TESTS}/kinds/*.c")):
        stem = os.path.basename(source)[:-2]
        if stem == "checkpoint":
            continue
        want = read_header(source)
        variants = [v for v in want["variants"] if not args.variants or v in args.variants]
        if args.self_check:
            variants = ["none"] + [f"broken{n}" for n in range(1, want["breaks"] + 1)]
        for flavour in args.flavours or want["flavours"] or (["host"] if args.self_check else []):
            for variant in variants:
                suffix = "" if flavour == "host" else f"@{flavour}"
                yield f"kinds/{stem}:{variant}{suffix}", {
                    "type": "kind", "binary": f"{args.build}/test/kinds/{stem}", "variant": variant, "flavour": flavour,
                    "want": want, "timeout": want["timeout"]}
        yield from user_root_jobs(args, stem, want)


def user_root_jobs(args, stem, want):
    """The same with the runner, the tool and the tree in a user namespace that they are root of; one variant, as what
    may be missing there are rights, not states."""
    if args.self_check:
        return
    variant = "refused" if want["refused"] else "restored"
    for flavour in args.user_root or ([] if args.flavours else want["user-root"]):
        if not args.variants or variant in args.variants:
            yield f"kinds/{stem}:{variant}@user-root+{flavour}", {
                "type": "kind", "binary": f"{args.build}/test/kinds/{stem}", "variant": variant, "flavour": flavour, "user-root": True,
                "want": want, "timeout": want["timeout"]}


def program_jobs(args):
    """Found by source file: a program that was not built is a failure, and one whose source has been removed is not
    run."""
    for folder, sources, place in (("unit", f"{TESTS}/unit/*.c", "test/unit"), ("compel", f"{ROOT}/compel/test/t_*.c", "compel-tests")):
        for source in sorted(glob.glob(sources)):
            name = os.path.basename(source)[:-2]
            if not name.endswith("_helper"):
                yield f"{folder}/{name}", {"type": "program", "binary": f"{args.build}/{place}/{name}", "timeout": KIND_TIMEOUT * 5}


def script_jobs():
    for folder in ("cli", "compat", "kill", "fuzz", "apps", "engines"):
        for script in executable(folder):
            yield f"{folder}/{os.path.basename(script)}", {"type": "script", "binary": script, "timeout": SCRIPT_TIMEOUT[folder]}


def self_check_jobs():
    for script in executable("apps"):
        yield f"apps/{os.path.basename(script)}:none", {"type": "script", "binary": script, "timeout": SCRIPT_TIMEOUT["apps"],
                                                        "env": {"SELF_CHECK": "1"}}


def discover(args):
    """-> [(name, job)]; a job is what outside.py needs to run it."""
    if args.self_check:
        return [*kind_jobs(args), *self_check_jobs()]
    return [*kind_jobs(args), *program_jobs(args), *script_jobs()]


def chosen(name, patterns):
    plain = name.split("/", 1)[1].split(":")[0]
    return not patterns or any(p in name if not re.search(r"[*?\[]", p) else
                               fnmatch.fnmatch(name, p) or fnmatch.fnmatch(plain, p) for p in patterns)
