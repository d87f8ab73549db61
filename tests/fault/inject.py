#!/usr/bin/env python3
"""Let one call of a second snapshot fail: it never exits 0 with a bad archive, and the next run works.

    inject.py VOLSNAP [--sample N] [--seed S] KIND...

malloc     T3: the Nth allocation fails (fail.c, loaded before volsnap)
sticky     T3: the Nth and all after it fail
mmap       T3: the Nth mmap fails
enospc     T46: no space at the Nth call that writes or makes a file, in store and state
eio        T51: the Nth fsync, rename or link fails
short      T51: the Nth write is short
full       T46: store and state on a file system with less and less room (--sample: so many sizes)

For each point the prepared host is put back, the command runs with the fault, on one CPU, and

* exit 0: the tar of the newest snapshot is that of an untouched run;
* else: no crash but in libarchive, no snapshot is listed that is not exact, and something was said;
* the next run, without a fault, exits 0, its tar is right, and all verify.
"""

import argparse
import collections
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from flips import edit, fill, tar_hash  # noqa: E402
from host import Failure, Host, ext4, scratch  # noqa: E402

WRITES = ["write", "pwrite64", "openat", "mkdirat", "mkdir", "ftruncate", "fallocate", "renameat2",
          "renameat", "linkat", "fsync", "fdatasync"]
SYNCS = ["fsync", "fdatasync", "renameat2", "renameat", "rename", "linkat", "unlinkat"]
COMMAND = ["-q", "snapshot", "v"]


class Prepared:
    """A host after one snapshot and an edit; what the next one's tar must be."""

    def __init__(self, top, volsnap, rng, volume, lib):
        self.host = Host(top, volsnap, ["racy_window = 0"], volume)
        self.lib = lib
        fill(self.host.data, rng)
        self.host.init()
        self.host.snapshot()
        edit(self.host.data, rng)
        self.saved = self.host.top / "saved"
        self.saved.mkdir()
        for name in ("state", "store"):
            subprocess.run(["cp", "-a", self.host.top / name, self.saved], check=True)
        self.host.snapshot()
        self.want = tar_hash(self.host)
        self.host.restore_equals("v@latest", self.host.data)

    def reset(self):
        for name in ("state", "store"):
            shutil.rmtree(self.host.top / name, ignore_errors=True)
            subprocess.run(["cp", "-a", self.saved / name, self.host.top / name], check=True)

    def run(self, prefix=(), env=None):
        return self.host.run(*COMMAND, check=False, prefix=("taskset", "-c", "0", *prefix), env=env)

    def judge(self, r, code):
        """What came of it, in a word; Failure if it is not to be."""
        said = r.stderr.strip()
        library = re.search(r"crashed in \S*/(libarchive[^/\s]*)", said)
        if (code < 0 or code >= 64) and not library:
            raise Failure(f"died of exit {code}: {said[-300:]}")
        before = sum(x["state"] == "complete" for x in self.host.list())
        if code == 0 and (before != 2 or tar_hash(self.host) != self.want):
            raise Failure("exit 0 with a wrong snapshot")
        if before == 2 and tar_hash(self.host) != self.want:
            raise Failure("a wrong snapshot is listed")
        if code != 0 and not said:
            raise Failure(f"exit {code} without a word")
        self.host.run(*COMMAND)
        if tar_hash(self.host) != self.want:
            raise Failure("the next snapshot is wrong")
        self.host.run("-q", "verify")
        if library:
            return f"crashed in {library[1]}"
        return ["committed, said so", "committed", "refused"][0 if code and before == 2 else
                                                             1 if before == 2 else 2]


def calls(p, names):
    """Points (name, N) of one run, after main has begun; those on files of store and state."""
    p.reset()
    trace = p.host.top / "trace"
    r = p.run(["strace", "-f", "-y", "-o", trace])
    if r.returncode:
        raise Failure(f"without a fault: {r.stderr}")
    counts, points, begun = collections.Counter(), [], False
    for line in open(trace, errors="replace"):
        m = re.match(r"^\d+\s+(\w+)\(", line)
        begun = begun or "rt_sigaction(SIGPIPE" in line
        if not m:
            continue
        counts[m.group(1)] += 1
        reads = m.group(1) == "openat" and "O_CREAT" not in line and "O_TMPFILE" not in line
        if begun and m.group(1) in names and not reads and "/dev/null" not in line:
            points.append((m.group(1), counts[m.group(1)]))
    return points


def by_strace(names, error):
    def run(p, point):
        name, n = point
        log = p.host.top / "strace.log"
        r = p.run(["strace", "-f", "-o", log, "-e", f"trace={name}", "-e",
                   f"inject={name}:error={error}:when={n}"])
        died = re.search(r"\+\+\+ killed by (\w+)", log.read_text(errors="replace"))
        return r, -1 if died else r.returncode
    return lambda p: calls(p, names), run


def by_library(**env):
    def points(p):
        p.reset()
        count = p.host.top / "count"
        env_all = {**env, "LD_PRELOAD": p.lib, "FAIL_COUNT": str(count)}
        r = p.host.run(*COMMAND, prefix=("taskset", "-c", "0", "env",
                                         *(f"{k}={v}" for k, v in env_all.items())))
        if r.returncode:
            raise Failure(f"without a fault: {r.stderr}")
        return list(range(1, int(count.read_text()) + 1))

    def run(p, n):
        r = p.run(["env", *(f"{k}={v}" for k, v in env.items()), f"LD_PRELOAD={p.lib}",
                   f"FAIL_AT={n}"])
        return r, r.returncode
    return points, run


KINDS = {
    "malloc": by_library(),
    "sticky": by_library(FAIL_STICKY="1"),
    "short": by_library(FAIL_SHORT="1"),
    "mmap": by_strace(["mmap"], "ENOMEM"),
    "enospc": by_strace(WRITES, "ENOSPC"),
    "eio": by_strace(SYNCS, "EIO"),
}


def inject(kind, p, args, rng):
    find, run = KINDS[kind]
    points = find(p)
    chosen = points
    if args.sample and args.sample < len(points):
        chosen = sorted(rng.sample(points, args.sample))
    outcomes, bad = collections.Counter(), 0
    for point in chosen:
        p.reset()
        try:
            outcomes[p.judge(*run(p, point))] += 1
        except (Failure, OSError) as e:
            bad += 1
            print(f"{kind} {point}: {e}", flush=True)
    print(f"{kind:7} {len(points)} points, {len(chosen)} run: "
          + ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items())) + f"; {bad} bad",
          flush=True)
    return bad


def full(args, volsnap, rng, lib):
    """Room from none to enough, in steps, for store and state together."""
    outcomes, bad, steps = collections.Counter(), 0, args.sample or 60
    with scratch("/dev/shm") as top, scratch() as disk, ext4(top, 8) as mount:
        p = Prepared(top / "h", volsnap, rng, disk / "v", lib)
        for name in ("state", "store"):
            shutil.rmtree(p.host.top / name)
            (mount / name).mkdir()
            (p.host.top / name).symlink_to(mount / name)

        def reset():
            for name in ("state", "store"):
                shutil.rmtree(mount / name, ignore_errors=True)
                subprocess.run(["cp", "-a", p.saved / name, mount], check=True)
        p.reset = reset
        for i in range(steps):
            reset()
            room = i * 200000 // steps // 4096 * 4096
            filler = mount / "filler"
            st = os.statvfs(mount)
            with open(filler, "wb") as f:
                os.posix_fallocate(f.fileno(), 0, max(st.f_bavail * st.f_frsize - room - 65536, 1))
            try:
                with open(mount / "last", "wb", buffering=0) as f:
                    while os.statvfs(mount).f_bavail * st.f_frsize > room:
                        f.write(bytes(1024))
            except OSError:
                pass
            r = p.run()
            left = os.statvfs(mount).f_bavail * st.f_frsize
            filler.unlink()
            (mount / "last").unlink(missing_ok=True)
            try:
                outcomes[p.judge(r, r.returncode)] += 1
            except (Failure, OSError) as e:
                bad += 1
                print(f"full: {room} bytes of room, {left} left: {e}", flush=True)
    print(f"full    {steps} sizes: " + ", ".join(f"{n} {what}" for what, n in
                                              sorted(outcomes.items())) + f"; {bad} bad")
    return bad


def main():
    a = argparse.ArgumentParser()
    a.add_argument("volsnap")
    a.add_argument("kinds", nargs="+", choices=[*KINDS, "full"])
    a.add_argument("--sample", type=int, default=0, help="points of each kind; 0: all")
    a.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = a.parse_args()
    print(f"seed {args.seed}")
    rng, bad = random.Random(args.seed), 0
    with tempfile.TemporaryDirectory() as t:
        lib = t + "/fail.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", lib,
                        pathlib.Path(__file__).with_name("fail.c")], check=True)
        for kind in args.kinds:
            begun = time.monotonic()
            try:
                if kind == "full":
                    bad += full(args, args.volsnap, rng, lib)
                    continue
                with scratch("/dev/shm") as top, scratch() as disk:
                    bad += inject(kind, Prepared(top / "h", args.volsnap, rng, disk / "v", lib),
                                  args, rng)
            except Failure as e:
                bad += 1
                print(f"{kind}: {e}")
            print(f"{kind:7} {time.monotonic() - begun:.1f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
