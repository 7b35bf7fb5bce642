# SPDX-License-Identifier: GPL-2.0-only
"""Shared by the script tests: a private set of namespaces, dump and restore, and real programs tested in all three
ways."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.realpath(os.environ.get("ROOT", f"{HERE}/../.."))
sys.dont_write_bytecode = True
sys.path.append(f"{ROOT}/test")
import runner  # noqa: E402

BUILD = os.path.realpath(os.environ.get("BUILD", f"{ROOT}/build"))
CRIU = os.path.realpath(os.environ.get("CRIU", f"{BUILD}/criu"))
Failed, wait_for, text_of, live_pids, snapshot = runner.Failed, runner.wait_for, runner.text_of, runner.live_pids, runner.snapshot
statuses, reap, start, tree_of, last_lines = runner.statuses, runner.reap, runner.start, runner.tree_of, runner.last_lines
TMP = os.environ.get("TEST_TMP", "")
cases, bad = [], []


def skip(why):
    print(why)
    sys.exit(77)


def ok(name, good, why=""):
    """Prints one result line; the runner counts each."""
    cases.append(name)
    lines = str(why).strip().splitlines()
    why = " | ".join(lines if len(lines) < 10 else lines[:4] + ["..."] + lines[-5:])
    print(f"ok {name}" if good else f"not ok {name}: {why}", flush=True)
    if not good:
        bad.append(name)
    return good


def need_program(program, package=None):
    """Installs Debian's package if the program is missing; ends the test as skipped if that fails."""
    if shutil.which(program, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"):
        return
    policy = "/usr/sbin/policy-rc.d"        # the package must not start its services
    made = not os.path.exists(policy)
    if made:
        with open(policy, "w") as f:
            f.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    try:
        got = subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", package or program], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                             timeout=200)
    except (OSError, subprocess.TimeoutExpired) as e:
        skip(f"package {package or program} is not available: {e}")
    finally:
        if made:
            os.unlink(policy)
    if got.returncode or not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
        skip(f"package {package or program} is not available: {last_lines(got.stdout.decode(errors='replace'), 1)}")


def debug_build():
    """Sets CRIU to a separate debug build, which can be made to fail (CRIU_FAULT)."""
    if os.getpid() == 1 or "CRIU_DEBUG" in os.environ:
        return
    top = f"{BUILD}/debug"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "BUILD"))}
    # Two tests need it, and may get here at the same time.
    if subprocess.run(["flock", f"{BUILD}/.debug-build", "make", "-s", "-C", ROOT, "-j2", f"BUILD={top}", "DEBUG=1", f"{top}/criu"],
                      stdin=subprocess.DEVNULL, env=env).returncode:
        print("the debug build failed")
        sys.exit(1)
    os.environ["CRIU_DEBUG"] = os.environ["CRIU"] = f"{top}/criu"


def enter(net=False):
    """Continues as pid 1 of new pid, mount and IPC namespaces (and network, with loopback up); new devpts; private
    TMP."""
    if os.environ.get("TEST_INSIDE") != "1" or os.getpid() != 1:
        if os.geteuid():
            skip("needs root (it creates namespaces)")
        top = os.environ.get("TEST_TMP")
        made = None if top else tempfile.mkdtemp(prefix="criu-test.")
        if made:
            os.chmod(made, 0o755)
        env = {**os.environ, "TEST_INSIDE": "1", "TEST_TMP": top or made}
        code = subprocess.run(runner.unshare_words(net) + [sys.executable, os.path.abspath(sys.argv[0])] + sys.argv[1:], env=env).returncode
        if made:
            shutil.rmtree(made, ignore_errors=True)
        sys.exit(code)
    if not os.access(CRIU, os.X_OK) and not os.environ.get("SELF_CHECK"):
        print(f"{CRIU} is not built")
        sys.exit(1)
    os.umask(0o022)
    runner.prepare_namespaces(tmp("sh.out"), net)


def tmp(name):
    return f"{TMP}/{name}"


def sh(command, seconds=60, check=True):
    """Runs a command (a list, or a line for the shell) until it exits -> its output. As pid 1 we may not use
    subprocess."""
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    argv[0] = shutil.which(argv[0]) or argv[0]
    code, text = runner.command(argv, tmp("sh.out"), seconds)
    if code and check:
        raise Failed(f"{command}: exit status {code}: {last_lines(text, 4)}")
    return text


def run(command, seconds=60):
    """-> (exit status or -signal, output)"""
    argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    argv[0] = shutil.which(argv[0]) or argv[0]
    return runner.command(argv, tmp("sh.out"), seconds)


_count = 0


def images_dir():
    global _count
    _count += 1
    path = tmp(f"img{_count}")
    os.mkdir(path)
    return path


def criu(*argv, seconds=120):
    return runner.command([CRIU, *map(str, argv)], tmp("criu.out"), seconds)


def dump(pid, *options, images=None):
    images = images or images_dir()
    code, text = criu("dump", "-t", pid, "-D", images, "-o", "dump.log", "-v4", *options)
    if code:
        raise Failed(f"dump failed ({code}): {last_lines(text, 3)}; log: {last_lines(text_of(images + '/dump.log'), 5)}")
    if not os.path.exists(f"{images}/inventory.img"):
        raise Failed("dump left no inventory.img")
    return images


def restore(images, *options):
    code, text = criu("restore", "-d", "-D", images, "-o", "restore.log", "-v4", *options)
    if code:
        raise Failed(f"restore failed ({code}): {last_lines(text, 3)}; log: {last_lines(text_of(images + '/restore.log'), 5)}")


def gone(pids, seconds=10):
    pids = set(pids)
    wait_for(lambda: not live_pids() & pids, f"the exit of {sorted(pids)}", seconds)
    for pid in pids:
        statuses.pop(pid, None)


def dump_and_restore(pid, options=(), restore_options=()):
    before = set(tree_of(pid))
    images = dump(pid, *options)
    gone(before)
    others = live_pids()
    restore(images, *restore_options)
    more = live_pids() - others
    if pid not in more:
        raise Failed(f"restore created {sorted(more)}, not {pid}")


def spawn(argv, out="out", cwd=None, stdin=None, env=None):
    """Starts a program as leader of its own session, with files as standard descriptors -> pid."""
    argv = list(argv)
    argv[0] = shutil.which(argv[0]) or argv[0]
    base = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": TMP, "LANG": "C.UTF-8", "TERM": "screen"}
    if stdin:
        argv = ["/bin/sh", "-c", f'exec "$@" < {stdin}', "sh", *argv]
    return start(argv, tmp(out), cwd=cwd or TMP, env={**base, **(env or {})})


def alive(pid):
    reap()
    fields = text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()
    # The main thread may have exited while others continue: number of threads.
    lives = len(fields) > 17 and (fields[0] != "Z" or int(fields[17]) > 1)
    if lives:
        statuses.pop(pid, None)     # of an earlier process with this pid, before it was restored
    return lives


def exit_of(pid, seconds=100):
    wait_for(lambda: pid in statuses, f"the exit of {pid}", seconds)
    return os.waitstatus_to_exitcode(statuses.pop(pid))


def put(name, text, mode=0o644):
    with open(tmp(name), "w") as f:
        f.write(text)
    os.chmod(tmp(name), mode)
    return tmp(name)


def three_ways(begin, verify, options=(), restore_options=(), ways=("running", "restored", "thrice"), pause=0.15):
    """begin(way) starts the work -> pid of the tree's root; verify(way, pid) waits for its result and checks it."""
    for way in ("none",) if os.environ.get("SELF_CHECK") else ways:
        try:
            pid = begin(way)
            if not alive(pid):
                raise Failed(f"the program exited before the dump: {last_lines(text_of(tmp('out')), 5)}")
            if way == "running":
                dump(pid, "--leave-running", *options)
                time.sleep(pause)
            elif way == "restored":
                dump_and_restore(pid, options, restore_options)
            elif way == "thrice":
                for _ in range(3):
                    dump_and_restore(pid, options, restore_options)
                    time.sleep(pause)
                    if not alive(pid):
                        raise Failed("the program exited between two dumps: too early, or not restored correctly")
            verify(way, pid)
            ok(way, True)
        except Failed as e:
            ok(way, False, str(e))
            end_all()
    finish()


def end_all():
    """Cleans up, so that nothing of a failed attempt interferes with the next one."""
    for pid in live_pids() - {1}:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    gone(live_pids() - {1})


def finish():
    """The end of every script: without this line the runner considers the script to have stopped early."""
    print(f"1..{len(cases)}", flush=True)
    sys.exit(1 if bad else 0)


def want(good, why):
    if not good:
        raise Failed(why)


def clean_up(pid):
    """Kills a tree that would otherwise run forever."""
    pids = tree_of(pid)
    for p in pids:
        try:
            os.kill(p, signal.SIGKILL)
        except ProcessLookupError:
            pass
    gone(pids)
