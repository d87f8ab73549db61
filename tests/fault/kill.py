#!/usr/bin/env python3
"""Kill volsnap at every system call of init, snapshot, a second snapshot and restore.

A point is a pair (name, N): the N-th call of that name, taken from a trace without injection, after
main (which begins by ignoring SIGPIPE).  Each point runs in a fresh copy of a prepared host, on one
CPU (there volsnap uses no threads).  Afterwards the same command must work, every acknowledged
snapshot must restore equal, and nothing with a final name may fail to verify.  Each 20th store is
read by the second reader too.

    kill.py VOLSNAP [--sample N] [--seed S]

Prints "NAME: P points, R run, S skipped" for each command; a point is skipped where the command
ended before it was reached (per-process counters differ in a forked child).
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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import second  # noqa: E402

READ_EACH = 20  # it takes the second reader about as long as all else of a point
CALL = re.compile(r"^\d+\s+(\w+)\(")


class Host:
    """A host in a directory: configuration, keys, state, store, one volume."""

    def __init__(self, top, volsnap):
        self.top = pathlib.Path(top)
        self.volsnap = volsnap
        self.env = dict(os.environ, VOLSNAP_CONFIG=str(self.top / "conf"))

    def configure(self):
        volume = self.top / "volumes/db/_data"
        volume.mkdir(parents=True)
        (self.top / "state").mkdir()
        (volume / "a").write_bytes(b"first\n")
        (volume / "sub").mkdir()
        (volume / "sub/b").write_bytes(os.urandom(70000))
        os.link(volume / "a", volume / "sub/hard")
        os.symlink("a", volume / "sub/soft")
        (self.top / "conf").write_text(
            f"[host]\nname = h\n[store]\nlocation = {self.top}/store\n"
            f"[keys]\ndirectory = {self.top}/keys\n[state]\ndirectory = {self.top}/state\n"
            f"[engine]\nkind = none\nvolumes_dir = {self.top}/volumes\n[volume db]\n")

    def run(self, *args, check=True):
        r = subprocess.run(["taskset", "-c", "0", self.volsnap, *args], env=self.env,
                           capture_output=True, text=True)
        if check and r.returncode != 0:
            raise Failure(f"{' '.join(args)}: exit {r.returncode}: {r.stderr.strip()}")
        return r

    def strace(self, out, options, args):
        return subprocess.run(["strace", "-f", "-o", out, *options, "taskset", "-c", "0",
                               self.volsnap, *args], env=self.env, capture_output=True, text=True)

    def data(self):
        return self.top / "volumes/db/_data"


class Failure(Exception):
    pass


def tree(path):
    """What a restore must give back: names, types, modes, content, times."""
    out = {}
    for d, dirs, files in os.walk(path):
        for n in dirs + files + ["."]:
            p = os.path.join(d, n)
            st = os.lstat(p)
            body = None
            if os.path.islink(p):
                body = os.readlink(p)
            elif os.path.isfile(p):
                body = open(p, "rb").read()
            out[os.path.relpath(p, path)] = (st.st_mode, st.st_uid, st.st_mtime_ns, body)
    return out


def points(host, args, scratch):
    trace = os.path.join(scratch, "trace")
    r = host.strace(trace, [], args)
    if r.returncode != 0:
        raise Failure(f"untouched {' '.join(args)}: exit {r.returncode}: {r.stderr}")
    counts = collections.Counter()
    found = set()
    main = None
    for line in open(trace, errors="replace"):
        m = CALL.match(line)
        if not m:
            continue
        pid = line.split()[0]
        counts[pid, m.group(1)] += 1
        if "rt_sigaction(SIGPIPE" in line:
            main = pid
        if main and not m.group(1).startswith("exit"):
            found.add((m.group(1), counts[pid, m.group(1)]))
    return sorted(found)


def edit(data):
    """What a second snapshot finds: new, changed, renamed, gone; metadata alone."""
    (data / "new").write_bytes(b"new\n" * 30000)
    with open(data / "sub/b", "r+b") as f:
        f.seek(20000)
        f.write(b"changed")
    os.rename(data / "a", data / "z")
    (data / "sub/soft").unlink()
    os.chmod(data / "sub", 0o700)


def check_init(host, acked, originals):
    host.run("-q", "init", "--paper", str(host.top / "paper"), "--yes",
             check=not (host.top / "keys/store.pin").exists())
    host.run("-q", "snapshot", "db")
    host.run("-q", "verify")


def check_snapshot(host, acked, originals):
    host.run("-q", "snapshot", "db")
    check_all(host, acked + 1, originals)


def check_restore(host, acked, originals):
    original = originals[0]
    old_or_new = tree(host.data()) if host.data().exists() else None
    if old_or_new is not None and "changed" not in old_or_new and old_or_new != original:
        raise Failure("the volume is neither the old tree nor the new one")
    host.run("restore", "db", "--discard-previous", check=False)
    if (host.data() / "changed").exists():
        host.run("-q", "restore", "db@latest", "--replace")
    check_all(host, acked, originals)
    if tree(host.data()) != original:
        raise Failure("the restored volume differs")


def check_all(host, acked, originals):
    host.run("-q", "verify")
    wanted = {seq: originals[min(seq, len(originals)) - 1] for seq in range(1, acked + 1)}
    for seq, original in {**wanted, "latest": originals[-1]}.items():
        out = host.top / f"out{seq}"
        host.run("-q", "restore", f"db@{seq}", "--to", str(out))
        if tree(out) != original:
            raise Failure(f"snapshot {seq} restored differently")


def prepare_init(host):
    pass


def prepare_snapshot(host):
    host.run("-q", "init", "--paper", str(host.top / "paper"), "--yes")
    host.run("-q", "snapshot", "db")


def prepare_second(host):
    prepare_snapshot(host)
    edit(host.data())


def prepare_restore(host):
    prepare_snapshot(host)
    (host.data() / "changed").write_text("since\n")


COMMANDS = {
    "init": (prepare_init, ["-q", "init", "--paper", "PAPER", "--yes"], check_init, 0),
    "snapshot": (prepare_snapshot, ["-q", "snapshot", "db"], check_snapshot, 1),
    "second": (prepare_second, ["-q", "snapshot", "db"], check_snapshot, 1),
    "restore": (prepare_restore, ["-q", "restore", "db@latest", "--replace"], check_restore, 1),
}


def run_command(name, args, where):
    prepare, words, check, acked = COMMANDS[name]
    base = os.path.join(where, "host")
    saved = os.path.join(where, "saved")
    host = Host(base, args.volsnap)
    host.configure()
    originals = [tree(host.data())]
    prepare(host)
    if name == "second":
        originals.append(tree(host.data()))
    words = [w.replace("PAPER", f"{base}/paper") for w in words]
    subprocess.run(["cp", "-a", base, saved], check=True)
    all_points = points(host, words, where)
    chosen = all_points
    if args.sample and args.sample < len(all_points):
        chosen = random.Random(args.seed).sample(all_points, args.sample)
    skipped, failed, tally = 0, 0, second.Tally()
    for i, (call, n) in enumerate(chosen):
        shutil.rmtree(base)
        subprocess.run(["cp", "-a", saved, base], check=True)
        r = host.strace("/dev/null", ["-e", f"trace={call}", "-e",
                                      f"inject={call}:signal=KILL:when={n}"], words)
        done = acked
        if r.returncode == 0:
            skipped += 1
            done += name in ("snapshot", "second")
        try:
            check(host, done, originals)
            if i % READ_EACH == 0:
                tally.add(host.top / "store", host.top / "paper", host.volsnap, host.env)
        except (Failure, OSError, second.Disagreement) as e:
            failed += 1
            print(f"{name}: killed at {call} {n}: {e}")
    print(f"{name}: {len(all_points)} points, {len(chosen)} run, {skipped} skipped, "
          f"{failed} failed")
    print(tally)
    return failed + (tally.stores == 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("volsnap")
    p.add_argument("--sample", type=int, default=0, help="points of each command; 0: all")
    p.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    p.add_argument("--only", choices=COMMANDS)
    args = p.parse_args()
    print(f"seed {args.seed}")
    failed = 0
    for name in COMMANDS:
        if args.only and args.only != name:
            continue
        with tempfile.TemporaryDirectory(dir="/dev/shm") as where:
            failed += run_command(name, args, where)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
