#!/usr/bin/env python3
"""Flip a random bit of each byte of the tip cache and of the tip: the next snapshot is right.

    flips.py VOLSNAP [--sample N] [--seconds N] [--seed S]

A host with pages, content-defined chunks, small files and links takes two snapshots; then the tree
is edited.  For each flip the state is put back, one bit flipped, and a snapshot taken: it must exit
0 and its tar must be, byte for byte, the tar that the untouched state gives, which restores equal.
--sample N takes N bytes, the same number of each file as far as it has them; otherwise every byte,
in random order, as far as --seconds go.
"""

import argparse
import collections
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from host import Failure, Host, ext4, on_tmpfs, scratch  # noqa: E402


def fill(data, rng):
    """A little of everything that the cache tells apart."""
    for d in range(6):
        (data / f"dir{d}").mkdir()
        for n in range(30):
            (data / f"dir{d}/file{n}").write_bytes(rng.randbytes(rng.randrange(600)))
    (data / "pages").write_bytes(rng.randbytes(40 * 16384))
    (data / "text").write_bytes(rng.randbytes(150000).hex().encode())
    (data / "zeros").write_bytes(bytes(100000))
    (data / "hole").touch()
    os.truncate(data / "hole", 1 << 20)
    os.link(data / "text", data / "dir3/link")
    os.symlink("text", data / "soft")


def edit(data, rng):
    with open(data / "pages", "r+b") as f:
        f.seek(5 * 16384)
        f.write(rng.randbytes(16384))
    with open(data / "text", "ab") as f:
        f.write(b"more")
    (data / f"dir1/new{rng.randrange(1000)}").write_bytes(rng.randbytes(3000))
    os.rename(next(data.glob("dir2*")), data / f"dir2{rng.randrange(1000)}")
    (data / "dir4/file7").write_bytes(rng.randbytes(100))


def tar_hash(host):
    h = hashlib.sha256()
    p = subprocess.Popen([host.volsnap, "export", "v@latest"], env=host.env,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while piece := p.stdout.read(1 << 20):
        h.update(piece)
    said = p.stderr.read().decode(errors="replace")
    if p.wait() != 0:
        raise Failure(f"export: exit {p.returncode}: {said}")
    return h.hexdigest()


def choose(files, args, rng):
    """Pairs (file, offset), in random order."""
    if not args.sample:
        out = [(f, at) for f in files for at in range(f.stat().st_size)]
    else:
        out, left = [], args.sample
        for i, f in enumerate(sorted(files, key=lambda f: f.stat().st_size)):
            size = f.stat().st_size
            n = min(size, left // (len(files) - i))
            out += [(f, at) for at in rng.sample(range(size), n)]
            left -= n
    rng.shuffle(out)
    return out


def flip(path, at, rng):
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def run(host, args, rng):
    fill(host.data, rng)
    host.init()
    time.sleep(1.1)
    full = host.snapshot()
    edit(host.data, rng)
    time.sleep(1.1)
    host.snapshot()
    edit(host.data, rng)
    time.sleep(1.1)
    saved = host.top / "saved"
    subprocess.run(["cp", "-a", host.state, saved], check=True)
    files = [saved / "volume-v/tip", *sorted((saved / "volume-v/cache").glob("*"))]
    if len(files) == 1:
        raise Failure("there is no tip cache to damage")
    for f in files:
        print(f"{f.relative_to(saved)}: {f.stat().st_size} bytes")

    def again():
        """One snapshot on the saved state, and its tar; afterwards it is gone."""
        s = host.snapshot()
        try:
            return s, tar_hash(host)
        finally:
            for f in host.store.glob("s/*/*/*"):
                if f not in kept:
                    f.unlink()
            shutil.rmtree(host.state)
            subprocess.run(["cp", "-a", saved, host.state], check=True)

    kept = set(host.store.glob("s/*/*/*"))
    s, want = again()
    s, _ = again()
    clean = s["disk"]
    host.snapshot()
    host.restore_equals("v@latest", host.data, f"/dev/shm/flips.{os.getpid()}")
    if tar_hash(host) != want:
        raise Failure("two snapshots of one tree have different tars")
    for f in set(host.store.glob("s/*/*/*")) - kept:
        f.unlink()
    print(f"first snapshot {full['disk']} bytes, an incremental {clean}")
    end = time.monotonic() + (args.seconds or 1e9)
    bad, kinds, chosen, done = 0, collections.Counter(), choose(files, args, rng), 0
    for f, at in chosen:
        if time.monotonic() > end:
            break
        shutil.rmtree(host.state)
        subprocess.run(["cp", "-a", saved, host.state], check=True)
        flip(host.state / f.relative_to(saved), at, rng)
        done += 1
        try:
            s, got = again()
            kinds["incremental" if s["disk"] == clean else "full" if s["disk"] > full["disk"] // 2
                  else "in between"] += 1
            if got != want:
                raise Failure("the snapshot is wrong")
        except Failure as e:
            bad += 1
            print(f"byte {at} of {f.relative_to(saved)}: {e}", flush=True)
    print(f"{done} of {len(chosen)} flips; next snapshot: "
          + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) + f"; {bad} wrong")
    return 1 if bad else 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("volsnap")
    p.add_argument("--sample", type=int, default=0)
    p.add_argument("--seconds", type=float, default=0)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = p.parse_args()
    print(f"seed {args.seed}")
    try:
        with scratch("/dev/shm") as top, scratch() as disk:
            if not on_tmpfs(disk):
                return run(Host(top, args.volsnap, ["racy_window = 1s"], disk / "volumes"), args,
                           random.Random(args.seed))
            with ext4(top, 100) as mount:
                return run(Host(top, args.volsnap, ["racy_window = 1s"], mount / "volumes"), args,
                           random.Random(args.seed))
    except Failure as e:
        print(e)
        return 1


if __name__ == "__main__":
    sys.exit(main())
