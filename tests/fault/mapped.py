#!/usr/bin/env python3
"""A writer through a mapping under the snapshot: the next one after it stops equals the file.

    mapped.py VOLSNAP [--rounds N] [--seconds N]

A store through a mapping changes mtime only at the first store after writeback, so the same page
can be stored to again and the file's times stay.  On ext4 and on tmpfs, with the default
racy_window, a process that keeps its mapping and never calls msync:

rounds     stores, is snapshotted, stores to the same pages again, and ends; counted: how often the
           times did not tell
seconds    stores as fast as it can while snapshots are taken, and ends

The file is compared in the tar of the next snapshot (--path, so no restore sets a time).
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from host import Failure, Host, ext4, on_tmpfs, scratch  # noqa: E402

WRITER = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
m = mmap.mmap(fd, 0)
os.close(fd)
n = 0
def store():
    global n
    n += 1
    for at in range(5 << 14, len(m), len(m) // 7):
        m[at:at + 8] = n.to_bytes(8, "little")
    m[0:8] = n.to_bytes(8, "little")
for line in sys.stdin:
    if line == "run\\n":
        print("running", flush=True)
        while True:
            store()
    store()
    print(n, flush=True)
"""


class Writer:
    def __init__(self, path):
        self.p = subprocess.Popen([sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)

    def tell(self, word):
        self.p.stdin.write(word + "\n")
        self.p.stdin.flush()
        self.p.stdout.readline()

    def stop(self):
        self.p.kill()
        self.p.communicate()


def times(path):
    st = os.stat(path)
    return st.st_mtime_ns, st.st_ctime_ns, st.st_size


def equal(host, path, when):
    s = host.snapshot()
    if s["unreadable"] or s["changed"]:
        raise Failure(f"{when}: incomplete, though no writer is there")
    out = subprocess.run([host.volsnap, "export", "v@latest", "--path", path.name], env=host.env,
                         stdout=subprocess.PIPE, check=True).stdout
    if hashlib.sha256(out).digest() != hashlib.sha256(path.read_bytes()).digest():
        raise Failure(f"{when}: the file in snapshot {s['seq']} is not the file")


def on(kind, args, top, volume):
    host = Host(top, args.volsnap, (), volume)
    host.init()
    path, rng = host.data / "mapped", random.Random(7)
    path.write_bytes(rng.randbytes(4 << 20))
    (host.data / "other").write_bytes(rng.randbytes(100000))
    host.snapshot()
    silent = 0
    for i in range(args.rounds):
        w = Writer(path)
        w.tell("store")
        before = times(path)
        host.run("-q", "snapshot", "v", check=False)
        w.tell("store")
        silent += times(path) == before
        w.stop()
        equal(host, path, f"{kind}, round {i + 1}")
    print(f"{kind:6} {args.rounds} rounds; in {silent} neither mtime nor ctime told of the store",
          flush=True)
    w = Writer(path)
    w.tell("run")
    end, during = time.monotonic() + args.seconds, 0
    while time.monotonic() < end:
        r = host.run("-q", "snapshot", "v", check=False)
        if r.returncode not in (0, 3):
            raise Failure(f"under the writer: exit {r.returncode}: {r.stderr}")
        during += 1
    w.stop()
    equal(host, path, f"{kind}, after the running writer")
    equal(host, path, f"{kind}, once more")
    print(f"{kind:6} {during} snapshots in {args.seconds:g} s of stores, the next one is exact")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("volsnap")
    p.add_argument("--rounds", type=int, default=10)
    p.add_argument("--seconds", type=float, default=2)
    args = p.parse_args()
    bad = 0
    for kind in ("ext4", "tmpfs"):
        with contextlib.ExitStack() as stack:
            top = stack.enter_context(scratch("/dev/shm"))
            volume = top / "volumes"
            if kind == "ext4":
                disk = stack.enter_context(scratch())
                volume = (stack.enter_context(ext4(top, 100)) if on_tmpfs(disk) else disk) / "v"
            try:
                on(kind, args, top, volume)
            except Failure as e:
                print(f"{kind:6} {e}")
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
