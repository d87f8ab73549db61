#!/usr/bin/env python3
"""A MariaDB data directory that sysbench writes to between snapshots: each restores, and starts.

    database.py VOLSNAP [--snapshots N] [--seconds N] [--start-all] [--small] [--seed S]

The server is stopped cleanly for each snapshot.  Each is restored at once and compared with the
directory, and once more at the end with what was recorded of it; a server then starts on the first
and the last (--start-all: on each; --small: on the last, with small tables) and CHECK TABLE must say OK of every table, and rows and sums
must be those of a copy (not with --small).  Printed: bytes in the store, and what the changed pages compress to.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from counted import page_hashes, PAGE, fixture
from host import HERE, Failure, Host, cut, differences, manifest, scratch, zstd_size

SIZE = 40000
MARIADB = str(HERE / "fixtures/mariadb.sh")


def sysbench(socket, command, seed, *words):
    r = subprocess.run(["sysbench", "oltp_write_only", "--db-driver=mysql", "--mysql-user=root",
                        f"--mysql-socket={socket}", "--mysql-db=shop", "--tables=4",
                        f"--table-size={SIZE}", f"--rand-seed={seed}", *words, command],
                       capture_output=True, text=True)
    if r.returncode != 0:
        raise Failure(f"sysbench: {r.stdout[-400:]} {r.stderr[-400:]}")
    return next((line.split("(")[0].split()[-1] for line in r.stdout.splitlines()
                 if "transactions:" in line), "0")


def work(data, command, seed, *words, sql="DO 1"):
    """A server, SQL, sysbench, and a clean stop; transactions done."""
    with tempfile.TemporaryDirectory() as t:
        os.chmod(t, 0o777)
        subprocess.run([MARIADB, "--start", data, t + "/s"], check=True)
        try:
            subprocess.run(["mariadb", "--no-defaults", f"--socket={t}/s", "-uroot", "-e", sql],
                           check=True)
            return sysbench(t + "/s", command, seed, *words)
        finally:
            subprocess.run([MARIADB, "--stop", t + "/s"], check=True)


def tables(directory):
    """What CHECK TABLE, counts and sums say of a copy of DIRECTORY."""
    with scratch() as t:
        subprocess.run(["cp", "-a", directory, t / "d"], check=True)
        r = subprocess.run([MARIADB, "--check", t / "d"], capture_output=True, text=True)
        if r.returncode != 0:
            raise Failure(f"{directory}: {r.stdout[-600:]} {r.stderr[-600:]}")
        return r.stdout


def changed(before, after):
    """Pages that are new or others, in order."""
    for path in sorted(after):
        old = before.get(path, [])
        with open(path, "rb") as f:
            for i, h in enumerate(after[path]):
                if i >= len(old) or old[i] != h:
                    f.seek(i * PAGE)
                    yield f.read(PAGE)


def run(args, top):
    host = Host(top, args.volsnap, ["racy_window = 1s"])
    host.volumes.chmod(0o711)
    os.rmdir(host.data)
    fixture("mariadb.sh", host.data)
    host.init()
    global SIZE
    drop = "DO 1"
    if args.small:
        SIZE, drop = 5000, "DROP TABLE shop.documents, shop.orders, shop.readings"
    work(host.data, "prepare", args.seed, sql=drop)
    taken, sums, hashes = {}, {}, {}
    checked = {args.snapshots - 1, args.snapshots - 1 if args.small else 0}
    if args.start_all:
        checked = range(args.snapshots)
    for n in range(args.snapshots):
        done = "-"
        if n:
            done = work(host.data, "run", args.seed + n, f"--time={args.seconds}", "--threads=2")
        before, hashes = hashes, page_hashes(host.data)
        worth = zstd_size(cut(b"".join(changed(before, hashes))))
        time.sleep(1.1)
        begun = time.monotonic()
        s = host.snapshot()
        print(f"snapshot {s['seq']:2}  {done:>6} transactions  {s['disk']:>10} bytes in the store, "
              f"{worth:>10} the changed pages, {time.monotonic() - begun:.1f} s", flush=True)
        taken[s["seq"]] = manifest(host.data)
        host.restore_equals(f"v@{s['seq']}", host.data)
        if n in checked:
            sums[s["seq"]] = None if args.small else tables(host.data)
    for seq, want in taken.items():
        out = top / "restored"
        host.run("-q", "restore", f"v@{seq}", "--to", out)
        bad = differences(want, manifest(out))
        if bad:
            raise Failure(f"v@{seq} restores differently: {'; '.join(bad)}")
        if seq in sums:
            found = tables(out)
            if sums[seq] not in (None, found):
                raise Failure(f"v@{seq}: tables differ: {found} instead of {sums[seq]}")
            print(f"snapshot {seq:2}  a server starts on it: {len(found.splitlines())} tables OK",
                  flush=True)
        shutil.rmtree(out)
    host.run("-q", "verify")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("volsnap")
    p.add_argument("--snapshots", type=int, default=10)
    p.add_argument("--seconds", type=int, default=3)
    p.add_argument("--start-all", action="store_true")
    p.add_argument("--small", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    for tool, package in (("sysbench", "sysbench"), ("mariadbd", "mariadb-server")):
        if not shutil.which(tool):
            print(f"needs package: {package}")
            return 1
    try:
        with scratch() as top:
            run(args, pathlib.Path(top))
    except Failure as e:
        print(e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
