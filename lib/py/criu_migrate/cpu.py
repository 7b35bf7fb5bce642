# SPDX-License-Identifier: GPL-2.0-only
"""The instructions of both CPUs, compared before anything is copied: as the restore would do it, when the tree is frozen."""
import base64
import os
import subprocess
import tempfile

from .common import Failed
from .criu_options import error_of, last

DEFAULT = {"fpu", "ins"}
WITH_IMAGE = {"cpu", "all", "image"}    # a dump writes cpuinfo.img, and a restore compares all that is in it
COMPARED = {"ins", "chosen", *WITH_IMAGE}


def caps_of(options):
    """@options: as criu shows them."""
    value = last(options, "cpu-cap")
    if value is None:
        return DEFAULT
    words = (value or "all").split(",")
    while "none" in words:
        del words[:words.index("none") + 1]
    return set(words)


def run(criu, command, path, *options):
    return subprocess.run([criu, "cpuinfo", command, "-D", path, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)


def cpu_question(criu, work, dump_options):
    """At the source."""
    with tempfile.TemporaryDirectory(dir=work) as path:
        done = run(criu, "dump", path)
        if done.returncode:
            raise Failed(f"criu cpuinfo dump: {error_of(done)}")
        with open(os.path.join(path, "cpuinfo.img"), "rb") as f:
            return {"cpu": base64.b64encode(f.read()).decode(), "cpu_image": bool(WITH_IMAGE & caps_of(dump_options))}


def cpu_obstacles(criu, work, question, restore_options):
    """At the target."""
    caps = caps_of(restore_options)
    if not question["cpu_image"] and WITH_IMAGE & caps:
        return [f"the restore requires cpuinfo.img (--cpu-cap={','.join(sorted(caps))}, in --restore-option or a configuration file there), "
                "and the dump does not write it (--dump-option=--cpu-cap=cpu)"]
    if not COMPARED & caps:
        return []
    with tempfile.TemporaryDirectory(dir=work) as path:
        with open(os.path.join(path, "cpuinfo.img"), "wb") as f:
            f.write(base64.b64decode(question["cpu"]))
        done = run(criu, "check", path, f"--cpu-cap={','.join(sorted(caps)) if question['cpu_image'] else 'chosen'}")
    return [f"at the target: {error_of(done)} (of criu-migrate: --restore-option=--cpu-cap=...)"] if done.returncode else []
