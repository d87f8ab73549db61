"""The programs that bench.py lets do the same work: volsnap, restic, and tar | zstd | age.

Each has a place of its own for what it stores, and runs below `time`, which tells processor time and
the memory of the largest process of the run.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from host import Failure, Host, ext4  # noqa: E402


class Measured:
    """Wall time, processor time in seconds, and the highest resident memory of any process in KiB."""

    def __init__(self, seconds, cpu, memory):
        self.seconds, self.cpu, self.memory = seconds, cpu, memory


def timed(words, env=None, cwd=None):
    """Runs WORDS after a sync.  `time` stands between, as a child begins with the memory of who
    starts it, and that of Python is larger than what volsnap may take."""
    os.sync()
    with tempfile.NamedTemporaryFile(mode="r") as said:
        begun = time.monotonic()
        r = subprocess.run(["time", "-q", "-f", "%M %U %S", "-o", said.name, *map(str, words)], env=env, cwd=cwd,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           text=True, errors="replace")
        seconds = time.monotonic() - begun
        if r.returncode != 0:
            raise Failure(f"{' '.join(map(str, words))}: exit {r.returncode}: {r.stderr.strip()[-600:]}")
        memory, user, system = said.read().split()
        return Measured(seconds, float(user) + float(system), int(memory))


def tree_size(top):
    return sum(os.lstat(os.path.join(d, n)).st_size for d, _, names in os.walk(top) for n in names)


@contextlib.contextmanager
def fresh(kind, megabytes, inodes):
    """An empty file system in memory: a tmpfs, or an ext4 on a loop device.  ext4 is slow to give out
    inodes again after many were freed; that is not what a restore should be measured with."""
    with tempfile.TemporaryDirectory() as t:
        if kind == "ext4":
            with ext4(t, megabytes, inodes) as mount:
                yield mount
            return
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,nr_inodes={inodes},mode=700",
                        "bench", t], check=True)
        try:
            yield pathlib.Path(t)
        finally:
            subprocess.run(["umount", t], check=True)


class Program:
    """Backs up DATA to a new store below TOP.  `extra` is what compare.py is to allow."""

    name, extra = "", ()

    def __init__(self, top, volumes):
        self.top, self.data = pathlib.Path(top), pathlib.Path(volumes) / "v/_data"
        self.top.mkdir()
        self.store = self.top / "store"

    def stored(self):
        return tree_size(self.store)

    def remove(self):
        shutil.rmtree(self.top)


class Volsnap(Program):
    name = "volsnap"
    binary = ""

    def __init__(self, top, volumes):
        super().__init__(top, volumes)
        # 1s: what is measured here was written seconds ago, not hours ago.
        self.host = Host(self.top, self.binary, ["racy_window = 1s"], volumes)
        self.host.init()

    def backup(self):
        return timed([self.host.volsnap, "-q", "snapshot", "v"], self.host.env)

    def restore(self, out):
        tree = out / "tree"
        return timed([self.host.volsnap, "-q", "restore", "v@latest", "--to", tree], self.host.env), tree


# Metadata of others is not what is compared here.
CONTENT_ONLY = ("mode", "uid", "gid", "mtime", "xattr", "acl", "flag", "hole", "link")


class Restic(Program):
    name, extra = "restic", CONTENT_ONLY
    binary = "restic"

    def __init__(self, top, volumes):
        super().__init__(top, volumes)
        self.env = dict(os.environ, RESTIC_REPOSITORY=str(self.store), RESTIC_PASSWORD="x",
                        RESTIC_CACHE_DIR=str(self.top / "cache"))
        timed([self.binary, "-q", "init"], self.env)

    def backup(self):
        return timed([self.binary, "-q", "backup", self.data], self.env)

    def restore(self, out):
        # volsnap's restore is on the disk when it ends, so the others are taken with a sync
        m = timed(["sh", "-c", '"$1" -q restore latest --target "$2" && sync -f "$2"', "sh", self.binary, out],
                  self.env)
        return m, out / str(self.data).lstrip("/")


class Pipe(Program):
    """What an administrator writes who has no program for it."""

    name, extra = "tar|zstd|age", CONTENT_ONLY

    def __init__(self, top, volumes):
        super().__init__(top, volumes)
        self.store.mkdir()
        self.key, self.file = self.top / "key", self.store / "tar.zst.age"
        subprocess.run(["age-keygen", "-o", self.key], check=True, capture_output=True)

    def shell(self, line, **more):
        env = dict(os.environ, KEY=str(self.key), FILE=str(self.file), **more)
        return timed(["bash", "-c", "set -eo pipefail; " + line], env)

    def backup(self):
        recipient = subprocess.run(["age-keygen", "-y", self.key], check=True, capture_output=True, text=True)
        return self.shell('tar -C "$DATA" -cf - . | zstd -q -3 -T2 | age -r "$TO" -o "$FILE"',
                          DATA=str(self.data), TO=recipient.stdout.strip())

    def restore(self, out):
        tree = out / "tree"
        tree.mkdir()
        return self.shell('age -d -i "$KEY" "$FILE" | zstd -q -d | tar --numeric-owner -C "$TREE" -xpf -; '
                          'sync -f "$TREE"', TREE=str(tree)), tree


def versions():
    """First line of what each says of itself."""
    out = {}
    for words in ([Volsnap.binary, "--version"], [Restic.binary, "version"], ["age", "--version"],
                  ["zstd", "--version"], ["tar", "--version"], ["mariadbd", "--version"]):
        r = subprocess.run(words, capture_output=True, text=True)
        out[os.path.basename(words[0])] = (r.stdout + r.stderr).strip().split("\n")[0]
    return out
