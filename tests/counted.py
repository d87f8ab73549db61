#!/usr/bin/env python3
"""Count what an incremental snapshot adds to the store, against what its change is worth.

    counted.py VOLSNAP [--seed S] [--sample] CASE...      cases: pages row log insert files

Prints a line for each snapshot: bytes its files have in the store, and the bound.  The last snapshot
of a case is restored and compared.  Exit 1 if one is over its bound or restores differently.
"""

import argparse
import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time

from host import HERE, Failure, Host, cut, ext4, on_tmpfs, scratch, zstd_size

PAGE = 16384
WINDOW = 1.1  # seconds; racy_window is 1s


class Counter:
    def __init__(self, top, volsnap, rng, volume=None, sample=False):
        self.host = Host(top, volsnap, ["racy_window = 1s"], volume)
        self.data, self.rng, self.bad, self.case = self.host.data, rng, 0, ""
        self.sample = sample

    def first(self):
        self.host.init()
        time.sleep(WINDOW)
        begun = time.monotonic()
        s = self.host.snapshot()
        print(f"{self.case:7} {'first, full':34} {s['disk']:>10} bytes"
              f"{time.monotonic() - begun:33.2f} s", flush=True)

    def next(self, what, bound, why="", **how):
        """Snapshots, and holds the bytes in the store against BOUND."""
        time.sleep(WINDOW)
        begun = time.monotonic()
        s = self.host.snapshot(**how)
        over = s["disk"] > bound
        self.bad += over
        print(f"{self.case:7} {what:34} {s['disk']:>10} bytes  bound {bound:>10} {why:14}"
              f"{time.monotonic() - begun:5.2f} s{'  OVER' if over else ''}", flush=True)
        return s

    def is_true(self, what, value):
        self.bad += not value
        print(f"{self.case:7} {what}{'' if value else ': NO'}", flush=True)

    def last(self):
        """The last snapshot restores equal."""
        with scratch("/dev/shm") as out:
            self.host.restore_equals("v@latest", self.data, out / "out")
        print(f"{self.case:7} the last restores equal", flush=True)


def worth(changed_pages):
    """1.3 times what these pages, in order, compress to in frames of 128 KiB, and 64 KiB."""
    return int(1.3 * zstd_size(cut(b"".join(changed_pages)))) + 65536


def fixture(name, where):
    r = subprocess.run([HERE / "fixtures" / name, where], capture_output=True, text=True)
    if r.returncode != 0:
        raise Failure(f"{name}: {r.stdout.strip()} {r.stderr.strip()}")


def index_pages(files):
    """B-tree pages of InnoDB files that are at least half full."""
    for path in files:
        with open(path, "rb") as f:
            while page := f.read(PAGE):
                if page[24:26] == b"\x45\xbf" and page.count(0) < PAGE // 2:
                    yield page


def pages(c):
    """Pages of a 256 MiB InnoDB file, replaced by real pages of other tables."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as t:
        fixture("innodb.sh", t + "/d")
        path = c.data / "big.ibd"
        os.rename(f"{t}/d/shop/big.ibd", path)
        donors = list(index_pages(f"{t}/d/shop/{n}.ibd" for n in ("documents", "orders",
                                                                 "readings")))
    c.rng.shuffle(donors)
    c.first()
    number = path.stat().st_size // PAGE
    for part in (0.001, 0.01, 0.1):
        chosen = sorted(c.rng.sample(range(4, number), round(number * part)))
        changed = [donors.pop() for _ in chosen]
        with open(path, "r+b") as f:
            for at, page in zip(chosen, changed):
                f.seek(at * PAGE)
                f.write(page)
        s = c.next(f"{len(chosen)} pages, {100 * part:g} %", worth(changed), "1.3x + 64 KiB")
        raw = sum(map(len, changed))
        print(f"{c.case:7}   {raw} bytes changed, {s['new_bytes']} new in records")
    no_content(c)
    c.last()


def page_hashes(top):
    out = {}
    for d, _, files in os.walk(top):
        for n in files:
            with open(os.path.join(d, n), "rb") as f:
                out[os.path.join(d, n)] = [hash(p) for p in iter(lambda: f.read(PAGE), b"")]
    return out


def row(c):
    """One row inserted by the server: the table, its log, the system tablespace."""
    os.rmdir(c.data)
    fixture("innodb.sh", c.data)
    c.host.volumes.chmod(0o711)
    c.first()
    before = page_hashes(c.data)
    table = str(c.data / "shop/big.ibd")
    with tempfile.TemporaryDirectory() as t:
        os.chmod(t, 0o777)
        mariadb, socket = str(HERE / "fixtures/mariadb.sh"), t + "/s"
        subprocess.run([mariadb, "--start", c.data, socket], check=True)
        try:
            subprocess.run(["mariadb", "--no-defaults", f"--socket={socket}", "-uroot", "-e",
                            "INSERT INTO shop.big SELECT max(id) + 1, 5, now(), 'x', 'y', 'z' "
                            "FROM shop.big"], check=True)
        finally:
            subprocess.run([mariadb, "--stop", socket], check=True)
    changed = []
    for path, hashes in sorted(page_hashes(c.data).items()):
        old = before.get(path, [])
        with open(path, "rb") as f:
            for i, h in enumerate(hashes):
                if i >= len(old) or old[i] != h:
                    f.seek(i * PAGE)
                    changed.append((path, f.read(PAGE)))
    mine = [page for path, page in changed if path == table]
    c.is_true(f"pages changed: {len(changed)}, of the table {len(mine)}", mine)
    c.next("a row inserted, server stopped", worth([p for _, p in changed]), "1.3x + 64 KiB")
    if not c.sample:
        c.last()


def words(rng, n):
    """N bytes of text, no line twice, that compress about twofold."""
    return rng.randbytes(n // 2 + 32).hex("\n", 60).encode()[:n]


def log(c):
    path = c.data / "access.log"
    path.write_bytes(words(c.rng, 64 << 20))
    c.first()
    more = words(c.rng, 100000)
    with open(path, "ab") as f:
        f.write(more)
    c.next("100 KB appended to a 64 MiB log", 256 << 10, "256 KiB")
    c.next("nothing changed", 64 << 10, "64 KiB")
    c.last()


def insert(c):
    path = c.data / "file"
    content = words(c.rng, 10 ** 8)
    path.write_bytes(content)
    c.first()
    path.write_bytes(content[:5000] + c.rng.randbytes(1024) + content[5000:])
    c.next("1 KiB inserted at 5000 of 100 MB", 256 << 10, "256 KiB")
    path.write_bytes(content[:5000] + content[7000:])
    c.next("and 2000 bytes cut there", 256 << 10, "256 KiB")
    c.last()


def headers(c, which):
    """The headers in the tar of a snapshot, one after the other."""
    out = []
    with tempfile.TemporaryFile() as t:
        subprocess.run([c.host.volsnap, "export", which], env=c.host.env, stdout=t, check=True)
        t.seek(0)
        while (block := t.read(512)) and any(block):
            size = int(block[124:135], 8)
            out.append(block)
            if block[156:157] == b"x":
                out.append(t.read(-(-size // 512) * 512))
            else:
                t.seek(-(-size // 512) * 512, 1)
    return b"".join(out)


def opened(trace, volume):
    """Regular files below VOLUME that a trace opened, and reads of their content."""
    names, reads = set(), 0
    inside = re.escape(str(volume))
    for line in open(trace, errors="replace"):
        m = re.search(rf"\bopen(?:at|at2)?\(.* = \d+<({inside}[^>]*)>", line)
        if m and not os.path.isdir(m.group(1)):
            names.add(m.group(1))
        reads += bool(re.search(rf"\b(?:pread64|read|preadv2?|readv|mmap)\([^\"]*<{inside}/[^>]*>",
                                line))
    return names, reads


def no_content(c):
    """A snapshot of the volume as it is: nothing new, and no file opened."""
    trace = c.host.top / "trace"
    calls = "open,openat,openat2,read,pread64,readv,preadv,preadv2,mmap"
    s = c.next("nothing changed", 64 << 10, "64 KiB",
               prefix=["strace", "-f", "--seccomp-bpf", "-y", "-o", trace, "-e", f"trace={calls}"])
    names, reads = opened(trace, c.data)
    c.is_true(f"nothing changed: {len(names)} of {s['entries']} entries opened, {reads} reads",
              not names and reads == 0)


def files(c):
    """50,000 files in 500 directories; a sample: 10,000 in 100."""
    base, directories = words(c.rng, 1 << 20), 100 if c.sample else 500
    for d in range(directories):
        where = c.data / f"dir{d:03d}"
        where.mkdir()
        for n in range(100):
            at, size = c.rng.randrange(len(base) - 8192), int(c.rng.paretovariate(0.7) * 200) % 8192
            (where / f"file{n:02d}").write_bytes(base[at:at + size])
    c.first()
    some = [c.data / f"dir{d:03d}" for d in c.rng.sample(range(directories), 4)]
    limit = (256 << 10, "256 KiB")
    (some[0] / "file42").write_bytes(words(c.rng, 5000))
    c.next("one file changed", *limit)
    os.rename(some[1] / "file77", some[1] / "renamed")
    c.next("one renamed", *limit)
    os.rename(some[1] / "renamed", some[2] / "moved")
    c.next("and moved to another directory", *limit)
    os.rename(some[3], c.data / "a-new-name")
    c.next("a directory of 100 renamed", *limit)
    os.chmod(some[0] / "file05", 0o600)
    c.next("T11: one file chmodded", *limit)
    os.chown(some[0] / "file06", 1234, 4321)
    c.next("T11: one file chowned", *limit)
    os.setxattr(some[0] / "file07", "user.colour", b"blue")
    c.next("T11: an attribute set", *limit)
    no_content(c)
    c.last()
    for d, _, names in os.walk(c.data):
        for n in names:
            os.utime(os.path.join(d, n))
    time.sleep(WINDOW)
    s = c.host.snapshot()
    raw = headers(c, "v@latest")
    bound = int(1.3 * zstd_size(cut(raw, 512 << 10))) + 65536
    c.bad += s["disk"] > bound
    print(f"{c.case:7} {'all mtimes touched':34} {s['disk']:>10} bytes  bound {bound:>10} "
          f"1.3x the headers + 64 KiB, {len(raw)} bytes of them"
          f"{'  OVER' if s['disk'] > bound else ''}")
    c.last()


CASES = {f.__name__: f for f in (pages, row, log, insert, files)}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("volsnap")
    p.add_argument("cases", nargs="+", choices=CASES)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--sample", action="store_true", help="fewer files, fewer restores")
    args = p.parse_args()
    bad = 0
    for name in args.cases:
        with contextlib.ExitStack() as stack:
            top, volume = stack.enter_context(scratch()), None
            if name == "files" or on_tmpfs(top):  # a disk is slow to forget many files
                volume = stack.enter_context(ext4(top, 1000)) / "volumes"
            c = Counter(top, args.volsnap, random.Random(args.seed), volume, args.sample)
            c.case = name
            try:
                CASES[name](c)
            except Failure as e:
                print(f"{name:7} {e}")
                c.bad += 1
            bad += c.bad
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
