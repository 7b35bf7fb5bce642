# SPDX-License-Identifier: GPL-2.0-only
"""The instructions of both CPUs, compared before anything is copied: as the restore would do it, when the tree is frozen."""
import base64
import os
import subprocess
import tempfile

from .common import Failed

DEFAULT = ["fpu", "ins"]
WITH_IMAGE = {"cpu", "all", "image"}    # a dump writes cpuinfo.img, and a restore compares all that is in it


def caps_of(options):
    """The last --cpu-cap of options for criu; its value may only be joined to it."""
    caps = DEFAULT
    for option in options:
        if option == "--cpu-cap":
            caps = ["all"]
        elif option.startswith("--cpu-cap="):
            caps = option.split("=", 1)[1].split(",")
    return caps


def compared(dump_options, restore_options):
    """What `criu cpuinfo check` shall compare; None: the restore does not compare instructions."""
    caps = caps_of(restore_options)
    if WITH_IMAGE & set(caps_of(dump_options)):
        return ",".join(caps) if {"ins", "chosen", *WITH_IMAGE} & set(caps) else None
    return "chosen" if {"ins", "chosen"} & set(caps) else None


def error_of(done):
    lines = done.stderr.decode(errors="replace").splitlines()
    line = next((line for line in lines if "Error" in line), lines[-1] if lines else f"exit status {done.returncode}")
    return line.split("): ", 1)[-1]     # without the place in its source


def run(criu, command, path, *options):
    return subprocess.run([criu, "cpuinfo", command, "-D", path, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)


def cpu_question(options, work):
    """At the source."""
    caps = compared(options.dump_option, options.restore_option)
    if caps is None:
        return {}
    with tempfile.TemporaryDirectory(dir=work) as path:
        done = run(options.criu, "dump", path)
        if done.returncode:
            raise Failed(f"criu cpuinfo dump: {error_of(done)}")
        with open(os.path.join(path, "cpuinfo.img"), "rb") as f:
            return {"cpu": base64.b64encode(f.read()).decode(), "cpu_caps": caps}


def cpu_obstacles(criu, work, question):
    """At the target."""
    with tempfile.TemporaryDirectory(dir=work) as path:
        with open(os.path.join(path, "cpuinfo.img"), "wb") as f:
            f.write(base64.b64decode(question["cpu"]))
        done = run(criu, "check", path, f"--cpu-cap={question['cpu_caps']}")
    return [f"at the target: {error_of(done)} (of criu-migrate: --restore-option=--cpu-cap=...)"] if done.returncode else []
