#!/usr/bin/env python3
"""A random model test: what a plain record of the tree says, every snapshot must restore.

Random edits (edits.py) between snapshots, with losses of the tip cache, of the tip and of the whole
state, damage to them, forks (an old copy of the state put back, as on a cloned host), hidden
archives, killed runs, and a clock that runs ahead, so that levels come by.  An episode is one host
with one volume, on ext4 or tmpfs, with a racy_window of 0, 1 s or 60 s.

    model.py VOLSNAP [--asan VOLSNAP] [--seconds N] [--seed S] [--episode N] [--keep]

The second reader verifies the store of the last episode; of each if there is time for more than
100 seconds.  Prints the seed; an episode can be run again alone.  Exit 1 at the first snapshot that restores
differently, fails, or is lost.
"""

import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import edits
from host import FAKETIME, Failure, Host, differences, fake, manifest, on_tmpfs


class Taken(collections.namedtuple("Taken", "name seq files manifest number")):
    def which(self):
        return f"{self.name}@{self.seq}"


class Episode:
    def __init__(self, args, number, top, end):
        self.args, self.number, self.end = args, number, end
        seed = f"{args.seed}/{number}"
        self.rng, self.check_rng = random.Random(seed), random.Random(seed + "check")
        self.memory = self.rng.randrange(4) == 0
        self.window = self.rng.choice(["0", "0", "0", "1s", "60s"])
        self.length = self.rng.randrange(20, 120)
        self.disk = tempfile.mkdtemp(prefix="model.", dir="/dev/shm" if self.memory else "/var/tmp")
        if not self.memory and on_tmpfs(self.disk):
            raise Failure("/var/tmp is a tmpfs, whose files are always read")
        os.mkdir(f"{top}/host")
        self.host = Host(f"{top}/host", args.volsnap, [f"racy_window = {self.window}"], self.disk)
        self.host.init()
        self.editor = edits.Editor(self.host.data, random.Random(seed + "edits"))
        self.hours, self.saved, self.taken, self.log = 0, None, [], []
        self.counts = collections.Counter()

    # ---- what happens between two snapshots ----

    def cache_file(self):
        files = self.host.cache()
        return self.rng.choice(files) if files else None

    def cache_lost(self):
        shutil.rmtree(self.host.state_of() / "cache", ignore_errors=True)

    def cache_file_lost(self):
        if f := self.cache_file():
            f.unlink()

    def cache_bit(self):
        self.flip(self.cache_file())

    def cache_cut(self):
        f = self.cache_file()
        if f and f.stat().st_size:
            os.truncate(f, self.rng.randrange(f.stat().st_size))

    def cache_old(self):
        """An older cache under a newer tip."""
        old = self.saved and self.saved / "volume-v/cache"
        if old and old.is_dir() and self.host.state_of().is_dir():
            self.cache_lost()
            subprocess.run(["cp", "-a", old, self.host.state_of() / "cache"], check=True)

    def flip(self, path):
        if path and path.exists() and path.stat().st_size:
            data = bytearray(path.read_bytes())
            data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
            path.write_bytes(data)

    def tip_bit(self):
        self.flip(self.host.state_of() / "tip")

    def tip_lost(self):
        (self.host.state_of() / "tip").unlink(missing_ok=True)

    def state_lost(self):
        shutil.rmtree(self.host.state_of(), ignore_errors=True)

    def state_saved(self):
        self.saved = self.host.top / "saved"
        shutil.rmtree(self.saved, ignore_errors=True)
        subprocess.run(["cp", "-a", self.host.state, self.saved], check=True)

    def fork(self):
        """The state as it was once: a restored image; or the two copies in turns: a clone."""
        if not self.saved:
            return
        now = self.host.top / "now"
        os.rename(self.host.state, now)
        subprocess.run(["cp", "-a", self.saved, self.host.state], check=True)
        shutil.rmtree(self.saved)
        os.rename(now, self.saved)

    def killed(self):
        """A run that dies: it left a snapshot, or it did not."""
        p = subprocess.Popen([self.host.volsnap, "-q", "snapshot", "v"], stderr=subprocess.DEVNULL,
                             env={**self.host.env, **fake(self.hours)})
        time.sleep(self.check_rng.random() * 0.06)
        p.send_signal(self.rng.choice([signal.SIGKILL, signal.SIGTERM]))
        p.wait()
        known = {f for t in self.taken for f in t.files}
        state = {x["id"]: x["state"] for x in self.host.list()}
        for f in sorted(set(self.host.store.glob("s/*/*/*.vsf")) - known):
            if state.get(f.name[11:43]) == "partial":
                self.counts["checkpoints"] += 1
            else:
                self.remember([f])

    def full(self):
        self.words = ["--full"]

    def hidden(self):
        """Files of one archive are away during the next snapshot, as if lost; then there again."""
        files = self.check_rng.choice(self.taken).files if self.taken else []
        for f in files:
            os.rename(f, str(f) + ".away")
            self.away.append(f)

    EVENTS = [cache_lost, cache_file_lost, cache_bit, cache_cut, cache_old, tip_bit, tip_lost,
              state_lost, state_saved, state_saved, state_saved, fork, fork, killed, killed, full,
              hidden]

    # ---- snapshots ----

    def remember(self, files, m=None):
        name, stem = files[-1].parent.name, files[-1].name
        self.taken.append(Taken(name, int(stem[:10]), files, m or manifest(self.host.data),
                                len(self.taken)))

    def tell(self):
        last = "".join(f"\n    {line}" for line in self.log[-4:])
        return (f"--seed {self.args.seed} --episode {self.number}, snapshot {len(self.taken)}, "
                f"{'tmpfs' if self.memory else 'ext4'}, racy_window {self.window}, last:{last}")

    def step(self):
        quiet = self.rng.randrange(8) == 0
        names = [] if quiet else self.editor.some(self.rng.randrange(1, 40))
        self.counts["edits"] += sum(not n.endswith("-") for n in names)
        self.words, self.away, events = [], [], []
        chosen = self.rng.sample(self.EVENTS, self.rng.choice([0, 0, 0, 0, 1, 1, 2]))
        if Episode.hidden in chosen:
            # Without its tip a host would, rightly, take the number of the hidden one again.
            chosen = [Episode.hidden]
        for event in chosen:
            events.append(event.__name__)
            event(self)
            self.counts[event.__name__] += 1
        self.hours += self.rng.choice([0, 0, 1, 1, 1, 5, 24, 24, 200, -30])
        asan = self.rng.randrange(8) == 0 and self.args.asan
        time.sleep(1.1 if self.window == "1s" else 0.02)
        self.log.append(f"{len(self.taken)}: hour {self.hours} {' '.join(events + self.words)} "
                        f"{'asan ' if asan else ''}after {' '.join(names)}")
        m = manifest(self.host.data)
        s = self.host.snapshot(*self.words, volsnap=asan or None,
                               env=fake(self.hours, bool(asan)))
        if s["unreadable"] or s["changed"]:
            raise Failure(f"snapshot is incomplete: {s['said']}")
        for f in self.away:
            os.rename(str(f) + ".away", f)
        self.remember(s["files"], m=m)
        self.counts["bytes stored"] += s["disk"]
        self.counts["level 1 and up"] += s["level"] > 0
        self.counts["asan"] += bool(asan)
        self.counts["new streams"] = len({t.name for t in self.taken})
        self.check(self.taken[-1])
        if self.check_rng.randrange(4) == 0:
            self.check(self.check_rng.choice(self.taken))

    def check(self, t):
        out = self.host.top / "out"
        asan = self.check_rng.randrange(16) == 0 and self.args.asan
        self.host.run("-q", "restore", t.which(), "--to", out, volsnap=asan or None)
        bad = differences(t.manifest, manifest(out))
        if bad:
            raise Failure(f"{t.which()}, snapshot {t.number} of the episode, restores "
                          f"differently: {'; '.join(bad)}")
        shutil.rmtree(out)
        self.counts["restores"] += 1

    def run(self):
        """All of it; true if it came to its end in time."""
        while len(self.taken) < self.length:
            if time.monotonic() > self.end:
                break
            self.step()
        for t in self.taken:
            self.check(t)
        self.host.run("-q", "verify")
        return len(self.taken) >= self.length

    def close(self):
        shutil.rmtree(self.disk, ignore_errors=True)
        shutil.rmtree(self.host.top, ignore_errors=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("volsnap")
    p.add_argument("--asan", help="a build with sanitizers, for a part of the runs")
    p.add_argument("--seconds", type=float, default=30)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    p.add_argument("--episode", type=int, help="only this one, to its end")
    p.add_argument("--keep", action="store_true", help="leave the host of a failure where it is")
    args = p.parse_args()
    print(f"seed {args.seed}", flush=True)
    if not os.path.exists(FAKETIME):
        print(f"no {FAKETIME}: install faketime")
        return 1
    end = time.monotonic() + (1e9 if args.episode is not None else args.seconds)
    total, number, bad, last = collections.Counter(), args.episode or 0, 0, None
    with tempfile.TemporaryDirectory(dir="/dev/shm") as top:
        while not bad:
            e = Episode(args, number, top, end)
            try:
                more = e.run() and args.episode is None and time.monotonic() < end
                if not more or args.seconds > 100:
                    total["snapshots read by the second reader"] += len(
                        e.host.second_reader().splitlines())
            except (Failure, OSError, KeyError, ValueError) as error:
                print(f"{error}\n  {e.tell()}", flush=True)
                bad, more = 1, False
            total.update(e.counts)
            total["snapshots"] += len(e.taken)
            total["episodes"] += 1
            if bad and args.keep:
                kept = tempfile.mkdtemp(prefix="model-kept.", dir="/var/tmp")
                subprocess.run(["cp", "-a", e.host.top, kept], check=True)
                print(f"kept: {kept}, {e.disk}")
                return 1
            e.close()
            number += 1
            if not more:
                break
    print(", ".join(f"{n} {what.replace('_', ' ')}" for what, n in sorted(total.items())))
    return bad


if __name__ == "__main__":
    sys.exit(main())
