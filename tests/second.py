#!/usr/bin/env python3
"""The second reader on a store that a test left: all of it is good, and the tar of each snapshot
is byte for byte what volsnap exports.

    second.py STORE KEY VOLSNAP     KEY as reader.py takes it; VOLSNAP_CONFIG is a host's of STORE

Prints what was read, and the seconds; exit 1 if anything differs."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

READER = pathlib.Path(__file__).resolve().parent / "reader.py"
INCOMPLETE = 3  # volsnap's exit code where the snapshot left something out


class Disagreement(Exception):
    """What the second reader has against a store, or against volsnap."""


class Tally:
    """What was read of several stores."""

    def __init__(self):
        self.stores = self.snapshots = self.bytes = self.seconds = 0

    def __str__(self):
        return (f"second reader: {self.stores} stores, {self.snapshots} snapshots, "
                f"{self.bytes} equal bytes, {self.seconds:.1f} s")

    def add(self, store, key, volsnap, env=None, most=None, verify=True):
        """Read one more; raises Disagreement.  Compare the tars of MOST snapshots, the last among
        them; without VERIFY look at these alone."""
        begun = time.monotonic()
        snapshots = [line.split()[:3] for line in run(reader(store, key, "list"))]
        if verify:
            good = [line for line in run(reader(store, key, "verify"))
                    if not line.startswith("checkpoint ")]
            if sorted(good) != sorted(f"ok {name} {seq}" for name, seq, _ in snapshots):
                raise Disagreement(f"listed are {snapshots}, but good are {good}")
        if most is not None and len(snapshots) > most:
            last = len(snapshots) - 1
            snapshots = [snapshots[last - i * last // most] for i in range(most)]
        for name, seq, archive in snapshots:
            self.bytes += same_bytes(
                f"{name}@{seq}", reader(store, key, "tar", f"{name}@{archive}"),
                [str(volsnap), "-q", "export", f"{name}@id:{archive}", "--key", str(key)],
                env or os.environ)
        self.stores += 1
        self.snapshots += len(snapshots)
        self.seconds += time.monotonic() - begun


def reader(store, key, *words):
    return [sys.executable, str(READER), str(store), "--key", str(key), *words]


def run(words):
    r = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    if r.returncode != 0:
        raise Disagreement(f"{words[-1]}: exit {r.returncode}: {r.stderr.strip()}")
    return r.stdout.splitlines()


def same_bytes(name, theirs, ours, env):
    """How many bytes the two commands print, which must be the same."""
    total = 0
    with tempfile.TemporaryFile() as said, \
            subprocess.Popen(theirs, stdout=subprocess.PIPE, stderr=said) as a, \
            subprocess.Popen(ours, stdout=subprocess.PIPE, stderr=said, env=env) as b:
        while True:
            left, right = a.stdout.read(1 << 20), b.stdout.read(1 << 20)
            if left != right:
                a.kill()
                b.kill()
                raise Disagreement(f"{name}: the tars differ in the MiB from byte {total} on")
            if not left:
                break
            total += len(left)
        if a.wait() != 0 or b.wait() not in (0, INCOMPLETE) or total == 0:
            said.seek(0)
            raise Disagreement(f"{name}: {total} bytes, exit {a.returncode}, "
                               f"export {b.returncode}: {said.read().decode(errors='replace')}")
    return total


def main():
    tally = Tally()
    try:
        tally.add(*sys.argv[1:])
    except Disagreement as why:
        print(f"second reader: {why}")
        return 1
    print(tally)
    return 0


if __name__ == "__main__":
    sys.exit(main())
