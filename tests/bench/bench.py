#!/usr/bin/env python3
"""volsnap beside restic and tar | zstd -3 -T2 | age, in one run: same data, same machine.

    bench.py VOLSNAP [--scale S] [--runs N] [--works LIST] [--restores tmpfs|ext4] [--dir DIR]
             [--restic PROGRAM] [--json FILE]

Works: db (a MariaDB data directory), files (100,000 small ones), random (incompressible), logs.  Of
each a first snapshot and a restore; of the files one with nothing changed; of the database ones after
a hundredth of its pages changed in place and of its rows by the server.

The programs take turns, each with a new store below DIR, with the data in the page cache and a sync
before each run; restores go to a new file system in memory.  What is printed are medians.  Ratios are
the other's value by volsnap's, of time and bytes alike: more is better, and a promise is a least ratio.
volsnap syncs what it stores and restores, restic what it stores, the pipe nothing: restores of the
others are taken with a sync, the pipe's archive is not.

A restore that differs, or a program that fails, makes the exit code 1; a promise that is missed does
not.  Root is needed.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

import data
from peers import Pipe, Restic, Volsnap, fresh, timed, tree_size, versions
from host import Failure, compare, scratch

WORKS = {"db": data.database, "files": data.files, "random": data.incompressible, "logs": data.logs}
PEERS = (Restic.name, Pipe.name)
# The oldest change that may be trusted unread is `racy_window` old.
WINDOW = 1.2
WALK, WALK_PRINTED = "stat walk", "printed walk"

# (work, what, unit, peer): the least ratio of the peer's value to volsnap's.
PROMISES = {
    ("db", "first", "s", Restic.name): 2.5, ("db", "first", "s", Pipe.name): 1,
    ("db", "first", "MB", Restic.name): 1 / 1.05,
    ("files", "first", "s", Restic.name): 4, ("files", "first", "MB", Restic.name): 1,
    ("random", "first", "s", Restic.name): 3, ("logs", "first", "s", Restic.name): 2.5,
    ("files", "unchanged", "s", Restic.name): 5, ("files", "unchanged", "s", WALK): 1 / 3,
    ("db", "1 % pages", "MB", Restic.name): 20,
    ("db", "1 % rows skewed", "MB", Restic.name): 4, ("db", "1 % rows skewed", "s", Restic.name): 2,
    ("db", "1 % rows uniform", "MB", Restic.name): 2, ("db", "1 % rows uniform", "s", Restic.name): 2,
    **{(work, "restore", "s", peer): least for work in WORKS for peer, least in zip(PEERS, (2, 1))},
}
MEMORY = 16  # MiB


class Results:
    """Samples by (work, what, unit) and program, in the order in which they came."""

    def __init__(self):
        self.samples, self.memory, self.differ, self.failed = {}, {}, 0, 0

    def add(self, work, what, unit, program, value):
        self.samples.setdefault((work, what, unit), {}).setdefault(program, []).append(value)

    def timed(self, work, what, program, m):
        self.add(work, what, "s", program, m.seconds)
        self.add(work, what, "cpu s", program, m.cpu)
        self.memory[program] = max(self.memory.get(program, 0), m.memory / 1024)
        say(f"  {work} {what} {program}: {m.seconds:.2f} s, cpu {m.cpu:.2f} s, {m.memory / 1024:.1f} MiB")

    def rows(self):
        for (work, what, unit), programs in self.samples.items():
            if unit == "cpu s":
                continue
            median = {p: statistics.median(v) for p, v in programs.items()}
            if Volsnap.name not in median:
                continue
            mine = median.pop(Volsnap.name)
            for peer, value in median.items():
                least = PROMISES.get((work, what, unit, peer))
                ratio = value / mine if mine else float("inf")
                yield {"work": f"{work} {what}", "unit": unit, "volsnap": mine, "peer": peer, "peer value": value,
                       "ratio": ratio, "promise": least, "holds": None if least is None else ratio >= least}
        mine = self.memory.get(Volsnap.name, 0)
        for peer in PEERS:
            yield {"work": "memory, largest process", "unit": "MiB", "volsnap": mine, "peer": peer,
                   "peer value": self.memory.get(peer, 0), "ratio": self.memory.get(peer, 0) / mine if mine else 0,
                   "promise": f"<= {MEMORY} MiB", "holds": mine <= MEMORY}


def say(text):
    print(text, file=sys.stderr, flush=True)


def warm(top):
    """Reads all of it; tar would not, to /dev/null."""
    subprocess.run(["sh", "-c", 'tar -C "$1" -cf - . | cat >/dev/null', "sh", top], check=True)


def firsts(r, args, work, top, volumes):
    """First snapshots; the programs with their last stores."""
    last = {}
    for n in range(args.runs):
        for kind in (Volsnap, Restic, Pipe):
            if kind in last:
                last[kind].remove()
            last[kind] = p = kind(top / f"{kind.__name__}{n}", volumes)
            empty = p.stored()
            r.timed(work, "first", p.name, p.backup())
            r.add(work, "first", "MB", p.name, (p.stored() - empty) / 1e6)
    return list(last.values())


def equal(r, p, tree):
    try:
        compare(p.data, tree, p.extra)
    except Failure as why:
        r.differ += 1
        say(f"DIFFERS: {p.name}: {why}")
        return False
    return True


def restores(r, args, work, programs):
    for n in range(args.runs):
        for p in programs:
            size = tree_size(p.data) >> 20
            inodes = sum(len(d) + len(f) for _, d, f in os.walk(p.data))
            with fresh(args.restores, 64 + size * 3 // 2 + inodes // 100, 2000 + inodes * 5 // 4) as out:
                m, tree = p.restore(out)
                # the others' once: their restores are not what is tested
                if (n and p.name != Volsnap.name) or equal(r, p, tree):
                    r.timed(work, "restore", p.name, m)


def again(r, args, work, what, programs, change):
    """Snapshots after `change`, which gets the number of the round."""
    for n in range(args.runs):
        change(n)
        warm(programs[0].data)
        time.sleep(WINDOW)
        for p in programs:
            before = p.stored()
            m = p.backup()
            r.add(work, what, "MB", p.name, (p.stored() - before) / 1e6)
            r.timed(work, what, p.name, m)
            say(f"    {r.samples[work, what, 'MB'][p.name][-1]:.3f} MB")


def walks(r, args, top):
    for _ in range(args.runs):
        for name, words in ((WALK, ["-newermt", "2100-01-01"]),
                            (WALK_PRINTED, ["-printf", r"%D %i %m %n %U %G %s %b %T@ %C@\n"])):
            m = timed(["find", top, *words])
            r.add("files", "unchanged", "s", name, m.seconds)
            say(f"  {name}: {m.seconds:.2f} s")


def one_work(r, args, work):
    with scratch(args.dir) as top:
        volumes = top / "volumes"
        target = volumes / "v/_data"
        target.mkdir(parents=True)
        volumes.chmod(0o711)
        begun = time.monotonic()
        WORKS[work](target, args.scale)
        warm(target)
        # What the data are is told by the run, not by the promise.
        number = sum(len(d) + len(f) for _, d, f in os.walk(target))
        say(f"{work}: {tree_size(target) / 1e6:.0f} MB, {number} entries, made in {time.monotonic() - begun:.0f} s")
        time.sleep(WINDOW)
        programs = firsts(r, args, work, top, volumes)
        restores(r, args, work, programs)
        if work == "files":
            again(r, args, work, "unchanged", programs[:2], lambda n: None)
            walks(r, args, target)
        if work == "db":
            for what, skewed in (("1 % rows skewed", True), ("1 % rows uniform", False)):
                again(r, args, work, what, programs[:2],
                      lambda n: data.update_rows(target, args.scale, skewed, n + 10 * skewed))
            again(r, args, work, "1 % pages", programs[:2], lambda n: data.change_pages(target, n))
        if work in ("files", "db"):
            inodes = number * 5 // 4 + 2000
            with fresh(args.restores, 64 + (tree_size(target) >> 20) * 3 // 2 + inodes // 100, inodes) as out:
                m, tree = programs[0].restore(out)
                if equal(r, programs[0], tree):
                    say(f"  {work} restored after increments, equal: {m.seconds:.2f} s")


def number(value, unit):
    return f"{value:.{1 if value >= 100 else 3 if unit == 'MB' and value < 1 else 2}f} {unit}"


def table(rows):
    lines = [("work", "volsnap", "", "peer", "ratio", "promise", "")]
    for x in rows:
        least = x["promise"]
        promise = least if isinstance(least, str) else f">= {least:.3g}x" if least else ""
        lines.append((x["work"], number(x["volsnap"], x["unit"]), x["peer"], number(x["peer value"], x["unit"]),
                      f"{x['ratio']:.2f}x", promise, {True: "holds", False: "MISSES", None: ""}[x["holds"]]))
    wide = [max(len(line[i]) for line in lines) for i in range(7)]
    for line in lines:
        print(f"{line[0]:{wide[0]}}  {line[1]:>{wide[1]}}  {line[2]:{wide[2]}}  {line[3]:>{wide[3]}}  "
              f"{line[4]:>{wide[4]}}  {line[5]:>{wide[5]}}  {line[6]}".rstrip())


def arguments():
    p = argparse.ArgumentParser(description="volsnap beside its peers")
    p.add_argument("volsnap")
    p.add_argument("--scale", type=float, default=1, help="size of the data; 0.1 for a quick run")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--works", default=",".join(WORKS), help="of " + ",".join(WORKS))
    p.add_argument("--restores", choices=("tmpfs", "ext4"), default="tmpfs", help="what restores go to")
    p.add_argument("--dir", default="/var/tmp", help="data and stores; not on a tmpfs")
    p.add_argument("--restic", default="restic", metavar="PROGRAM")
    p.add_argument("--json", metavar="FILE", help="all samples and the table")
    args = p.parse_args()
    args.works = args.works.split(",")
    if not set(args.works) <= set(WORKS) or args.scale <= 0 or args.runs < 1:
        p.error("no such work, scale or number of runs")
    return args


def main():
    args = arguments()
    Volsnap.binary, Restic.binary = os.path.abspath(args.volsnap), args.restic
    for tool, package in ((args.restic, "restic"), ("age", "age"), ("time", "time"), ("sysbench", "sysbench"),
                          ("mariadbd", "mariadb-server"), ("zstd", "zstd")):
        if not shutil.which(tool):
            print(f"needs package: {package}")
            return 2
    if os.geteuid() != 0:
        print("needs root: to mount, and to restore owners")
        return 2
    r, begun, ran = Results(), time.monotonic(), versions()
    load = os.getloadavg()[0]
    for work in args.works:
        try:
            one_work(r, args, work)
        except Failure as why:
            r.failed += 1
            say(f"FAILED: {work}: {why}")
    rows = list(r.rows())
    for program, said in ran.items():
        print(f"{program}: {said}")
    print(f"{os.cpu_count()} CPUs, {platform.release()}, load {load:.1f} at the start; scale {args.scale:g}, "
          f"median of {args.runs}, restores to {args.restores}; {(time.monotonic() - begun) / 60:.1f} minutes\n")
    table(rows)
    missed = sum(x["holds"] is False for x in rows)
    print(f"\n{sum(x['holds'] is not None for x in rows) - missed} hold, {missed} missed; "
          f"{r.differ} restores differ, {r.failed} works failed")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({
            "scale": args.scale, "runs": args.runs, "restores": args.restores, "cpus": os.cpu_count(), "load": load,
            "versions": ran, "rows": rows, "memory": r.memory, "differ": r.differ, "failed": r.failed,
            "samples": [{"work": w, "what": what, "unit": u, "program": p, "values": v}
                        for (w, what, u), programs in r.samples.items() for p, v in programs.items()],
        }, indent=1) + "\n")
    return 1 if r.differ or r.failed else 0


if __name__ == "__main__":
    sys.exit(main())
