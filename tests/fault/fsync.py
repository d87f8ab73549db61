#!/usr/bin/env python3
"""Power cut after success: keep only what was fsynced, and look whether the snapshot is there.

Records init and two snapshots, the second one of an edited tree, with strace, and replays their file operations on a model of a disk on
which nothing is certain but what an fsync of the file (its content) or of the directory (its
entries) made so.  Builds that tree anew and restores the acknowledged snapshots from it; then the
next snapshot must work with the state that is left.

    fsync.py VOLSNAP        exit 0: they restore from what was certain; 1: one does not
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import second  # noqa: E402

LINE = re.compile(r"^\d+\s+(\w+)\((.*)\)\s+= (-?\d+)(?:<(.*)>)?(?: .*)?$")
FD = re.compile(r"^(?:AT_FDCWD|\d+)<([^>]*)>")


class Disk:
    """Entries and contents, as they are and as they are certain."""

    def __init__(self):
        self.now = {}      # path -> "dir" or file number
        self.certain = {}  # the same, certain entries
        self.written = {}  # file number -> bytes written since its last fsync?
        self.next = 0

    def create(self, path, kind):
        if path in self.now:
            return
        if kind == "dir":
            self.now[path] = "dir"
        else:
            self.next += 1
            self.now[path] = self.next
            self.written[self.next] = False

    def sync(self, path):
        thing = self.now.get(path)
        if thing == "dir":
            for p in [p for p in self.certain if os.path.dirname(p) == path]:
                del self.certain[p]
            for p, t in self.now.items():
                if os.path.dirname(p) == path:
                    self.certain[p] = t
        elif thing is not None:
            self.written[thing] = False

    def rename(self, a, b):
        moved = {p: t for p, t in self.now.items() if p == a or p.startswith(a + "/")}
        for p in moved:
            del self.now[p]
        for p, t in moved.items():
            self.now[b + p[len(a):]] = t

    def remove(self, path):
        self.now.pop(path, None)


def full(where, name):
    return os.path.normpath(os.path.join(where, name))


def names(args):
    """The paths that an *at call names, each relative to the descriptor before it."""
    out = []
    for m in re.finditer(r'(?:AT_FDCWD|\d+)<([^>]*)>, "([^"]*)"', args):
        out.append(full(m.group(1), m.group(2)))
    if not out:
        out = [full(os.getcwd(), m) for m in re.findall(r'"([^"]*)"', args)[:2]]
    return out


def replay(trace, disk):
    for line in open(trace, errors="replace"):
        m = LINE.match(line)
        if not m or int(m.group(3)) < 0:
            continue
        call, args = m.group(1), m.group(2)
        fd = FD.match(args)
        if call in ("openat", "open") and "O_CREAT" in args:
            disk.create(names(args)[0], "file")
        elif call in ("mkdir", "mkdirat"):
            disk.create(names(args)[0], "dir")
        elif call in ("write", "pwrite64") and fd:
            thing = disk.now.get(fd.group(1))
            if isinstance(thing, int):
                disk.written[thing] = True
        elif call in ("fsync", "fdatasync") and fd:
            disk.sync(fd.group(1))
        elif call in ("rename", "renameat", "renameat2"):
            disk.rename(*names(args)[:2])
        elif call in ("unlink", "unlinkat", "rmdir"):
            disk.remove(names(args)[0])


def survive(disk, top):
    """Remove from TOP what is not certain; empty files whose content is not."""
    for d, dirs, files in os.walk(top, topdown=False):
        for n in files + dirs:
            p = os.path.join(d, n)
            if p.startswith(str(top / "volumes")):
                continue
            thing = disk.now.get(p)
            if disk.certain.get(p) != thing or thing is None:
                shutil.rmtree(p) if os.path.isdir(p) and not os.path.islink(p) else os.unlink(p)
            elif isinstance(thing, int) and disk.written[thing]:
                os.truncate(p, 0)


def record(volsnap, words, env, trace, disk):
    subprocess.run(["strace", "-f", "-y", "-s", "4096", "-o", trace,
                    "-e", "trace=file,write,pwrite64,fsync,fdatasync",
                    "taskset", "-c", "0", volsnap, "-q", *words], env=env, check=True)
    replay(trace, disk)


def content(data):
    return {p.name: p.read_bytes() for p in sorted(data.iterdir())}


def edit(data):
    with open(data / "file", "r+b") as f:
        f.seek(50000)
        f.write(b"changed")
    os.rename(data / "other", data / "renamed")
    (data / "new").write_bytes(os.urandom(30000))


def check(volsnap, env, top, wanted):
    for seq, want in wanted.items():
        out = top / f"out{seq}"
        r = subprocess.run([volsnap, "-q", "restore", f"db@{seq}", "--to", str(out)], env=env,
                           capture_output=True, text=True)
        if r.returncode != 0:
            print(f"the acknowledged snapshot {seq} is lost: {r.stderr.strip()}")
            return 1
        if content(out) != want:
            print(f"the acknowledged snapshot {seq} restored differently")
            return 1
    return 0


def main():
    volsnap = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(dir="/dev/shm") as t:
        top = pathlib.Path(t)
        data = top / "volumes/db/_data"
        data.mkdir(parents=True)
        (data / "file").write_bytes(os.urandom(100000))
        (data / "other").write_bytes(os.urandom(5000))
        conf = pathlib.Path(t + ".conf")
        conf.write_text(
            f"[host]\nname = h\n[store]\nlocation = {top}/store\n[keys]\ndirectory = {top}/keys\n"
            f"[state]\ndirectory = {top}/state\n[engine]\nkind = none\n"
            f"volumes_dir = {top}/volumes\n[volume db]\n")
        env = dict(os.environ, VOLSNAP_CONFIG=str(conf))
        trace = t + ".trace"
        disk = Disk()
        disk.now[str(top)] = "dir"
        wanted = {}
        try:
            record(volsnap, ["init", "--paper", str(top / "paper"), "--yes"], env, trace, disk)
            record(volsnap, ["snapshot", "db"], env, trace, disk)
            wanted[1] = content(data)
            edit(data)
            record(volsnap, ["snapshot", "db"], env, trace, disk)
            wanted[2] = content(data)
            survive(disk, top)
            if check(volsnap, env, top, wanted):
                return 1
            (data / "third").write_bytes(b"3")
            subprocess.run([volsnap, "-q", "snapshot", "db"], env=env, check=True)
            for seq in wanted:
                shutil.rmtree(top / f"out{seq}")
            wanted[3] = content(data)
            if check(volsnap, env, top, wanted):
                return 1
            tally = second.Tally()
            tally.add(top / "store", top / "paper", volsnap, env)
            print(tally)
        except second.Disagreement as why:
            print(f"the second reader: {why}")
            return 1
        finally:
            conf.unlink()
            os.unlink(trace)
        print(f"{len(disk.certain)} entries were certain: both snapshots are there, and a third "
              "one can follow")
        return 0


if __name__ == "__main__":
    sys.exit(main())
