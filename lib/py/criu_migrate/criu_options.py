# SPDX-License-Identifier: GPL-2.0-only
"""What options amount to, with those of configuration files, which only criu reads."""
import subprocess

from .common import Failed


def error_of(done):
    lines = done.stderr.decode(errors="replace").splitlines()
    line = next((line for line in lines if "Error" in line), lines[-1] if lines else f"exit status {done.returncode}")
    return line.split("): ", 1)[-1]     # without the place in its source


def options_of(criu, command, options, cwd=None):
    """Those of a criu that is started like this: "NAME", "NAME=VALUE" and "no-NAME"; of a repeated one the last counts."""
    done = subprocess.run([criu, command, "--show-options", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd=cwd, check=False)
    if done.returncode:
        raise Failed(f"criu {command} --show-options: {error_of(done)}")
    return done.stdout.decode(errors="replace").splitlines()


def last(options, name):
    """Its value, "" if it has none; None: it is not set."""
    found = None
    for option in options:
        word, _, value = option.partition("=")
        if word == name:
            found = value
        elif word == f"no-{name}":
            found = None
    return found


def validates_by_size(options):
    """Of the dump or the restore: build ids are not compared then."""
    return last(options, "file-validation") == "filesize"
