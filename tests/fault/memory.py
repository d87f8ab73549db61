#!/usr/bin/env python3
"""Peak memory of a snapshot and a restore: VmHWM of each volsnap process, PSS of all together.

    memory.py VOLSNAP CASE...       cases: see CASES

Prints one line per case and command; exit 1 if VmHWM passes 16 MiB for any process or PSS passes
24 MiB for all volsnap processes alive at once.  VmHWM only grows, so reading it every few
milliseconds until the process ends is enough; PSS is sampled.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

HWM_LIMIT, PSS_LIMIT = 16 * 1024, 24 * 1024  # KiB
HERE = pathlib.Path(__file__).resolve().parent.parent


def fixture(*words):
    subprocess.run([str(HERE / "fixtures" / words[0]), *words[1:]], check=True,
                   stdout=subprocess.DEVNULL)


def small(d):
    (d / "one").write_bytes(b"x" * 1024)


def database(d):
    os.rmdir(d)
    fixture("mariadb.sh", str(d))


def random_bytes(n):
    def make(d):
        with open(d / "random", "wb") as f:
            for _ in range(n >> 24):
                f.write(os.urandom(1 << 24))
    return make


def many(kind, *scale):
    return lambda d: fixture("many.py", str(d), kind, *scale)


CASES = {
    "1k": small,
    "database": database,
    "random64m": random_bytes(64 << 20),
    "random20g": random_bytes(20 << 30),
    "sparse100g": many("sparse100g"),
    "million": many("million"),
    "files50k": many("million", "50000"),
    "links": many("links"),
    "links20k": many("links", "20000"),
}


def status(pid, key):
    try:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith(key):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


def pss(pid):
    try:
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


def children(pid):
    try:
        return [int(x) for x in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    except OSError:
        return []


def measure(words, env):
    """Runs WORDS; returns (exit code, seconds, highest VmHWM, highest sum of PSS), in KiB."""
    begun = time.monotonic()
    p = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL)
    hwm = total = 0
    turn = 0
    while p.poll() is None:
        pids = [p.pid] + children(p.pid)
        # Before the exec the child is this interpreter.
        pids = [x for x in pids if "python" not in os.path.basename(exe(x))]
        hwm = max([hwm] + [status(x, "VmHWM:") for x in pids])
        if turn % 4 == 0:
            total = max(total, sum(pss(x) for x in pids))
        turn += 1
        time.sleep(0.004)
    return p.returncode, time.monotonic() - begun, hwm, total


def exe(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return "python"


def run_case(volsnap, name, top):
    env = dict(os.environ, VOLSNAP_CONFIG=str(top / "conf"))
    data = top / "volumes/v/_data"
    data.mkdir(parents=True)
    (top / "conf").write_text(
        f"[host]\nname = h\n[store]\nlocation = {top}/store\n[keys]\ndirectory = {top}/keys\n"
        f"[state]\ndirectory = {top}/state\n[engine]\nkind = none\nvolumes_dir = {top}/volumes\n"
        "[volume v]\n")
    CASES[name](data)
    subprocess.run([volsnap, "-q", "init", "--paper", str(top / "paper"), "--yes"], env=env,
                   check=True)
    bad = 0
    for words in (["snapshot", "v"], ["restore", "v@latest", "--to", str(top / "out")],
                  ["verify", "v"]):
        code, seconds, hwm, total = measure([volsnap, "-q", *words], env)
        over = code != 0 or hwm > HWM_LIMIT or total > PSS_LIMIT or hwm == 0
        bad += over
        print(f"{name:11} {words[0]:9} {seconds:7.1f} s  VmHWM {hwm / 1024:5.1f} MiB  "
              f"PSS {total / 1024:5.1f} MiB  exit {code}{'  OVER' if over else ''}", flush=True)
    return bad


def main():
    bad = 0
    for name in sys.argv[2:]:
        # ext4 is slow to give out inodes again after many were freed: that is not what is measured.
        many_inodes = name in ("million", "files50k", "links", "links20k")
        with tempfile.TemporaryDirectory(dir="/dev/shm" if many_inodes else "/var/tmp") as t:
            bad += run_case(sys.argv[1], name, pathlib.Path(t))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
