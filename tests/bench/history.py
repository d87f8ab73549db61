#!/usr/bin/env python3
"""Hundreds of hourly snapshots of a 256 MiB database: space, dependencies, extents, restore time.

    history.py VOLSNAP [--snapshots N] [--mib N] [--seed S]

1 % of the 16 KiB pages change in each hour, nine of ten of them in a hot tenth that drifts by 2 % a
day, as in the simulation that the levels were chosen by.  The clock is faketime's.  The same policy
is simulated here on page numbers alone, and what volsnap did must be within 20 % of it:

stored     bytes of all archives
written    pages written for each changed page (write amplification), in bytes
deps       dependencies of a snapshot, on average
kept       bytes of what the last 24, 7 daily, 4 weekly, 6 monthly need, at the end

and the last snapshot must restore in at most 2.5 times the first's time (of CPU).
"""

import argparse
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import reader  # noqa: E402
from counted import fixture, index_pages  # noqa: E402
from host import Failure, Host, cut, fake, scratch, zstd_size  # noqa: E402

PAGE = 16384
PAGES = 16384  # 256 MiB, or what --mib says
EXTENT = 3.1  # bytes of TREE for each, as the levels were chosen with
KEEP = ((0, 24), (1, 7), (2, 4), (3, 6))  # level, how many


class Simulation:
    """Which archive each page lies in, by the policy; sizes in compressed bytes of pages."""

    def __init__(self, day, bytes_of_page, first):
        self.where, self.archives, self.day = [0] * PAGES, {0: [PAGES, PAGES, 3]}, day
        self.frame, self.extents = [p // 8 for p in range(PAGES)], PAGES // 8
        self.page, self.stored, self.deps, self.needs = bytes_of_page, [first], [0], [{0}]
        self.levels, self.written = [3], 0

    def level(self, day):
        week, last = (day + 3) // 7, (self.day + 3) // 7
        out = 3 if week // 4 != last // 4 else 2 if week != last else day != self.day
        self.day = day
        return int(out)

    def snapshot(self, day, changed):
        level = self.level(day)
        victims = {a for a, (size, live, its) in self.archives.items()
                   if live and (its < level and live < 0.75 * size
                                or its == level and live < 0.3 * size)}
        left = [a for a in self.archives if a not in victims]
        if len(left) > 128:
            victims |= set(sorted(left, key=lambda a: self.archives[a][1])[:len(left) - 96])
        new = set(changed) | {p for p in range(PAGES) if self.where[p] in victims}
        me = len(self.stored)
        for i, p in enumerate(sorted(new)):
            self.archives[self.where[p]][1] -= 1
            self.where[p], self.frame[p] = me, i // 8
        places = list(zip(self.where, self.frame))
        self.extents = 1 + sum(a != b for a, b in zip(places, places[1:]))
        self.archives[me] = [len(new), len(new), level]
        self.archives = {a: x for a, x in self.archives.items() if x[1]}
        segments = -(-int(len(new) * self.page + self.extents * EXTENT) // 16366)
        self.stored.append(reader.padme(segments) * 16384 + 16384)
        self.levels.append(level)
        self.deps.append(len(self.archives) - 1)
        self.needs.append(set(self.archives))
        self.written += len(new)

    def figures(self):
        kept = needed(self.levels, self.needs)
        return {"stored": sum(self.stored), "kept": sum(self.stored[a] for a in kept),
                "deps": sum(self.deps) / len(self.deps)}


def needed(levels, needs):
    """Archives that what retention keeps depends on, at the end."""
    out, n = set(), len(levels)
    for level, count in KEEP:
        for i in [i for i in range(n) if levels[i] >= level][-count:]:
            out |= needs[i]
    return out


class Changes:
    def __init__(self, rng):
        self.rng, self.hot = rng, rng.sample(range(PAGES), PAGES // 10)

    def next(self):
        for _ in range(round(len(self.hot) * 0.02 / 24 + self.rng.random() - 0.5)):
            self.hot[self.rng.randrange(len(self.hot))] = self.rng.randrange(PAGES)
        out, n = set(), PAGES // 100
        while len(out) < n:
            out.add(self.rng.choice(self.hot) if self.rng.random() < 0.9
                    else self.rng.randrange(PAGES))
        return sorted(out)


def write_pages(path, changed, donors, rng):
    """Real pages of other tables, each stamped so that it is like no other."""
    pages = [rng.randbytes(4) + d[4:16] + rng.randbytes(8) + d[24:]
             for d in rng.sample(donors, len(changed))]
    with open(path, "r+b", buffering=0) as f:
        for at, page in zip(changed, pages):
            f.seek(at * PAGE)
            f.write(page)
    return pages


def extents(store, key, archive):
    """Number of extents of the body of a snapshot, from its leaves; no data is read."""
    s = store.finals[archive]
    s.link(store.finals)
    if not s.open(*key):
        raise Failure("no stanza for the recovery key")

    def count(stream, level, where):
        if level == 255:
            return 0
        items = s.record(*where, reader.NODE)[3]
        return sum(count(stream, level - 1, i[0]) for i in items) if level else len(items)
    return count(reader.BODY, *s.body_top[:2])


def records(store, key, archive):
    """Bytes that the records of each kind take in an archive of one part."""
    s, offset, out = store.finals[archive], 0, [0] * 5
    s.link(store.finals)
    s.open(*key)
    while record := s.record_at(offset):
        out[record[0]] += record[3] - offset
        offset = record[3]
    return ", ".join(f"{name} {n}" for name, n in zip(("body", "head", "nodes", "root"), out[1:]))


def restore_time(host, which):
    """Seconds, and seconds of CPU: others may be busy on this machine."""
    out = f"/dev/shm/history.{pathlib.Path(host.top).name}"
    try:
        begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        host.run("-q", "restore", which, "--to", out)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (time.monotonic() - begun,
                after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def run(args, top, memory):
    rng = random.Random(args.seed)
    host = Host(top, args.volsnap, (), memory / "volumes")
    path = host.data / "big.ibd"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as t:
        fixture("innodb.sh", t + "/d")
        shutil.copyfile(f"{t}/d/shop/big.ibd", path)
        donors = list(index_pages(f"{t}/d/shop/{n}.ibd" for n in ("orders", "readings",
                                                                 "documents", "customers")))
    # The file itself of such pages: what a page compresses to is the same at all times.
    os.truncate(path, PAGES * PAGE)
    for i in range(0, PAGES, 1024):
        write_pages(path, list(range(i, i + 1024)), donors, rng)
    host.init()
    with open(path, "rb") as f:
        of_page = zstd_size(cut(f.read(2048 * PAGE))) / 2048
    first = host.snapshot(env=fake(0))
    ids, levels, sizes = [bytes.fromhex(first["id"])], [first["level"]], [first["disk"]]
    today = int(time.time() // 86400)  # near noon of which noon() puts us
    sim = Simulation(today, of_page, first["disk"])
    changes, seconds, worth, begun = Changes(rng), [], 0, time.monotonic()
    for n in range(1, args.snapshots + 1):
        changed = changes.next()
        pages = write_pages(path, changed, donors, rng)
        if n % 25 == 1:
            worth += zstd_size(cut(b"".join(pages)))
        at = time.monotonic()
        s = host.snapshot(env=fake(n))
        seconds.append(time.monotonic() - at)
        ids.append(bytes.fromhex(s["id"]))
        levels.append(s["level"])
        sizes.append(s["disk"])
        sim.snapshot(today + (12 + n) // 24, changed)
    print(f"{args.snapshots} incrementals in {time.monotonic() - begun:.0f} s, one "
          f"{sorted(seconds)[len(seconds) // 2]:.2f} s (median), {max(seconds):.2f} s (most)")
    key = reader.read_key(str(host.paper))
    store = reader.Store(str(host.store), key[2])
    needs = [{ids.index(d[1]) for d in store.finals[i].dependencies} | {n}
             for n, i in enumerate(ids)]
    changed_bytes = worth * len(range(1, args.snapshots + 1, 25)) ** -1 * args.snapshots
    kept = needed(levels, needs)
    got = {"stored": sum(sizes), "kept": sum(sizes[a] for a in kept),
           "deps": sum(len(x) - 1 for x in needs) / len(needs),
           "written": sum(sizes[1:]) / changed_bytes}
    want = {**sim.figures(), "written": sum(sim.stored[1:]) / (args.snapshots * PAGES // 100 *
                                                              of_page)}
    bad = 0
    for what, x in want.items():
        off = got[what] / x - 1 if x else 0
        bad += abs(off) > 0.2
        print(f"{what:8} {got[what]:>14.2f}  simulated {x:>14.2f}  {100 * off:+.1f} %"
              f"{'  OVER' if abs(off) > 0.2 else ''}")
    print(f"levels {[levels.count(k) for k in range(4)]}, simulated "
          f"{[sim.levels.count(k) for k in range(4)]}; most deps "
          f"{max(len(x) - 1 for x in needs)}, simulated {max(sim.deps)}; pages written for each "
          f"changed: {sim.written / (args.snapshots * (PAGES // 100)):.2f} simulated")
    print("extents of the first, middle, last: "
          + ", ".join(str(extents(store, key, ids[i])) for i in (0, args.snapshots // 2, -1))
          + f"; simulated {sim.extents}")
    print(f"records of the last: {records(store, key, ids[-1])} bytes of {sizes[-1]}")
    host.restore_equals(f"v@{len(ids)}", host.data, f"{memory}/out")
    first, last = ([min(x) for x in zip(*(restore_time(host, which) for _ in range(5)))]
                   for which in ("v@1", "v@latest"))
    over = last[1] > 2.5 * first[1]
    print(f"restore of the first {first[0]:.2f} s ({first[1]:.2f} s of CPU), of the last "
          f"{last[0]:.2f} s ({last[1]:.2f} s): {last[0] / first[0]:.2f}x "
          f"({last[1] / first[1]:.2f}x){'  OVER' if over else ''}")
    return bad + over


def main():
    p = argparse.ArgumentParser()
    p.add_argument("volsnap")
    p.add_argument("--snapshots", type=int, default=500)
    p.add_argument("--mib", type=int, default=256, help="size of the database; a sample: 64")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    global PAGES
    PAGES = args.mib * 64
    try:
        with scratch() as top, scratch("/dev/shm") as memory:
            return 1 if run(args, top, memory) else 0
    except (Failure, subprocess.CalledProcessError, reader.Damaged) as e:
        print(e)
        return 1


if __name__ == "__main__":
    sys.exit(main())
