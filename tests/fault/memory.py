#!/usr/bin/env python3
"""Peak memory of a snapshot and a restore: VmHWM of each volsnap process, PSS of all together.

    memory.py VOLSNAP CASE...       cases: see CASES

Each is taken four times: at first, with nothing touched, with all times touched, with one entry in
a hundred changed; then restored and verified.  A volume of many files lies on an ext4 of its own.

Prints one line per case and command; exit 1 if VmHWM passes 16 MiB for any process or PSS passes
24 MiB for all volsnap processes alive at once.  VmHWM only grows, so reading it every few
milliseconds until the process ends is enough; PSS is sampled.  The second reader reads the stores
of the cases that are small enough for it.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import second  # noqa: E402

HWM_LIMIT, PSS_LIMIT = 16 * 1024, 24 * 1024  # KiB
HERE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))
from host import ext4  # noqa: E402


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
# What the second reader needs more than a minute for.
LARGE = ("random20g", "million", "links")


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


def nothing(data):
    pass


def touch_all(data):
    for d, _, files in os.walk(data):
        for n in files:
            os.utime(os.path.join(d, n), follow_symlinks=False)


def change_some(data):
    """One file in a hundred; of a large file one page in a hundred."""
    for d, _, files in os.walk(data):
        for n in sorted(f for f in files if not os.path.islink(os.path.join(d, f)))[::100]:
            with open(os.path.join(d, n), "r+b") as f:
                size = f.seek(0, 2)
                for at in range(0, size if size < 1 << 36 else 0, 100 << 14):
                    f.seek(at)
                    f.write(os.urandom(4096))
                f.seek(size)
                f.write(b"more")


def run_case(volsnap, name, top, volumes):
    env = dict(os.environ, VOLSNAP_CONFIG=str(top / "conf"))
    data = volumes / "v/_data"
    data.mkdir(parents=True)
    (top / "conf").write_text(
        f"[host]\nname = h\n[store]\nlocation = {top}/store\n[keys]\ndirectory = {top}/keys\n"
        f"[state]\ndirectory = {top}/state\n[engine]\nkind = none\nvolumes_dir = {volumes}\n"
        "[volume v]\nracy_window = 0\n")
    CASES[name](data)
    subprocess.run([volsnap, "-q", "init", "--paper", str(top / "paper"), "--yes"], env=env,
                   check=True)
    bad = 0
    for what, before, words in (
            ("first", nothing, ["snapshot", "v"]),
            ("unchanged", nothing, ["snapshot", "v"]),
            ("touched", touch_all, ["snapshot", "v"]),
            ("changed", change_some, ["snapshot", "v"]),
            ("restore", nothing, ["restore", "v@latest", "--to", str(top / "out")]),
            ("verify", nothing, ["verify", "v"])):
        before(data)
        code, seconds, hwm, total = measure([volsnap, "-q", *words], env)
        over = code != 0 or hwm > HWM_LIMIT or total > PSS_LIMIT or hwm == 0
        bad += over
        print(f"{name:11} {what:9} {seconds:7.1f} s  VmHWM {hwm / 1024:5.1f} MiB  "
              f"PSS {total / 1024:5.1f} MiB  exit {code}{'  OVER' if over else ''}", flush=True)
    return bad + (name not in LARGE and read_again(top, volsnap, env))


def read_again(top, volsnap, env):
    tally = second.Tally()
    try:
        tally.add(top / "store", top / "paper", volsnap, env)
    except second.Disagreement as why:
        print(f"second reader: {why}")
        return 1
    print(tally, flush=True)
    return 0


def main():
    bad = 0
    for name in sys.argv[2:]:
        # ext4 is slow to give out inodes again after many were freed: that is not what is measured.
        many_inodes = name in ("million", "files50k", "links", "links20k")
        with contextlib.ExitStack() as stack:
            top = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(
                dir="/dev/shm" if many_inodes else "/var/tmp")))
            volumes = top / "volumes"
            if many_inodes:
                small = name in ("files50k", "links20k")
                volumes = stack.enter_context(ext4(top, 600 if small else 4000,
                                                   60000 if small else 1200000))
            bad += run_case(sys.argv[1], name, top, volumes)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
