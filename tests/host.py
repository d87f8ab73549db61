"""A host for the tests: configuration, keys, state, store and one volume `v` below one directory.

What the tests of incremental snapshots share.  A volume that is to be trusted unread must not lie
on a tmpfs (core/source decides that), so they work below /var/tmp, or on an ext4 of their own.
"""

import contextlib
import ctypes
import ctypes.util
import hashlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
COMPARE, READER = HERE / "compare.py", HERE / "reader.py"
FAKETIME = "/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1".format(os.uname().machine)
libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Failure(Exception):
    pass


def noon():
    """A TZ in which it is about noon: no test meets a new day unless it wants to."""
    return f"NOON{time.gmtime().tm_hour - 12:+d}"


def on_tmpfs(path):
    out = subprocess.run(["stat", "-f", "-c", "%T", str(path)], capture_output=True, text=True)
    return out.stdout.strip() == "tmpfs"


@contextlib.contextmanager
def scratch(where="/var/tmp"):
    """A directory that is gone afterwards; 0711, as database servers run as users of their own."""
    with tempfile.TemporaryDirectory(dir=where) as t:
        os.chmod(t, 0o711)
        yield pathlib.Path(t)


@contextlib.contextmanager
def ext4(top, megabytes, inodes=0, image_dir="/dev/shm"):
    """An ext4 on a loop device, mounted on TOP/ext4.  The image lies in memory."""
    mount = pathlib.Path(top) / "ext4"
    mount.mkdir()
    with tempfile.NamedTemporaryFile(dir=image_dir) as image:
        os.truncate(image.name, megabytes << 20)
        count = ["-N", str(inodes)] if inodes else []
        subprocess.run(["mkfs.ext4", "-q", "-m0", "-O", "^has_journal", *count, image.name],
                       check=True)
        subprocess.run(["mount", "-o", "loop,noatime", image.name, mount], check=True)
        try:
            yield mount
        finally:
            subprocess.run(["umount", mount], check=True)


class Host:
    def __init__(self, top, volsnap, lines=(), volume=None):
        self.top, self.volsnap = pathlib.Path(top), os.path.abspath(volsnap)
        self.conf, self.store = self.top / "conf", self.top / "store"
        self.state, self.paper = self.top / "state", self.top / "paper"
        self.volumes = pathlib.Path(volume or self.top / "volumes")
        self.data = self.volumes / "v/_data"
        self.env = dict(os.environ, VOLSNAP_CONFIG=str(self.conf), TZ=noon())
        self.data.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(parents=True)
        self.conf.write_text(
            f"[host]\nname = h\n[store]\nlocation = {self.store}\n[keys]\n"
            f"directory = {self.top}/keys\n[state]\ndirectory = {self.state}\n[engine]\n"
            f"kind = none\nvolumes_dir = {self.volumes}\n[volume v]\n"
            + "".join(line + "\n" for line in lines))

    def run(self, *args, check=True, volsnap=None, env=None, prefix=()):
        r = subprocess.run([*prefix, volsnap or self.volsnap, *map(str, args)],
                           env={**self.env, **(env or {})}, capture_output=True, text=True,
                           errors="surrogateescape")
        if check and r.returncode != 0:
            raise Failure(f"volsnap {' '.join(map(str, args))}: exit {r.returncode}: "
                          f"{r.stderr.strip() or r.stdout.strip()}")
        return r

    def init(self):
        self.run("-q", "init", "--paper", self.paper, "--yes")

    def snapshot(self, *words, **how):
        """Takes one; the JSON object of it, and in `disk` the bytes its files have in the store."""
        r = self.run("--json", "snapshot", "v", *words, **how)
        s = json.loads(r.stdout)["snapshots"][0]
        s["files"] = sorted(self.store.glob(f"s/*/*/{s['seq']:010d}-{s['id']}.*"))
        s["disk"] = sum(f.stat().st_size for f in s["files"])
        s["said"] = r.stderr
        return s

    def list(self):
        return json.loads(self.run("--json", "list").stdout)["snapshots"]

    def state_of(self):
        return self.state / "volume-v"

    def cache(self):
        """Files of the tip cache."""
        return sorted(p for p in (self.state_of() / "cache").glob("*") if p.is_file())

    def restore_equals(self, which, original, out=None, allow=()):
        """Restores WHICH (db@N) into OUT, which is removed again, and compares with ORIGINAL."""
        out = pathlib.Path(out or self.top / "out")
        try:
            self.run("-q", "restore", which, "--to", out)
            compare(original, out, allow)
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def second_reader(self, *args):
        r = subprocess.run([sys.executable, READER, self.store, "--key", self.paper,
                            *(args or ("verify",))], capture_output=True, text=True)
        if r.returncode != 0:
            raise Failure(f"reader.py: exit {r.returncode}: {r.stderr.strip()[-600:]}")
        return r.stdout


def compare(a, b, allow=()):
    words = [w for x in allow for w in ("--allow", x)]
    r = subprocess.run([sys.executable, COMPARE, a, b, *words], capture_output=True, text=True)
    if r.returncode != 0:
        raise Failure(f"{b} differs from {a}: {r.stdout.strip()[-600:]}")


def fake(hours, binary_is_asan=False):
    """Environment that shifts the clock of a program, but not its monotonic one nor file times."""
    env = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"{hours * 3600:+d}", "NO_FAKE_STAT": "1",
           "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    if binary_is_asan:
        env["ASAN_OPTIONS"] = "verify_asan_link_order=0"
    return env


def punch(fd, offset, length):
    if libc.fallocate(fd, 3, offset, length) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def manifest(top):
    """What a restore must give back: {path: identity}; bodies as hashes, hard links as groups.

    A hole counts as zeros (compare.py looks at holes)."""
    out, groups = {}, {}
    for d, dirs, files in os.walk(os.fsencode(top)):
        for name in [b"."] + files + [n for n in dirs if os.path.islink(os.path.join(d, n))]:
            p = d if name == b"." else os.path.join(d, name)
            st = os.lstat(p)
            if stat.S_ISSOCK(st.st_mode):
                continue
            rel = os.path.relpath(p, os.fsencode(top))
            body = None
            if stat.S_ISLNK(st.st_mode):
                body = os.readlink(p)
            elif stat.S_ISREG(st.st_mode):
                with open(p, "rb") as f:
                    body = (st.st_size, hashlib.sha256(f.read()).hexdigest())
            xattrs = tuple(sorted((n, os.getxattr(p, n, follow_symlinks=False))
                                  for n in os.listxattr(p, follow_symlinks=False)))
            if not stat.S_ISDIR(st.st_mode) and st.st_nlink > 1:
                groups.setdefault((st.st_dev, st.st_ino), []).append(rel)
            out[rel] = [st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, body, xattrs, (rel,)]
    for group in groups.values():
        names = tuple(sorted(group))
        for rel in names:
            out[rel][6] = names
    return {rel: tuple(v) for rel, v in out.items()}


def differences(want, got, most=4):
    """In words; empty if they are equal."""
    fields = ("mode", "uid", "gid", "mtime", "body", "xattrs", "links")
    out = []
    for rel in sorted(want.keys() | got.keys()):
        a, b = want.get(rel), got.get(rel)
        if a is None or b is None:
            out.append(f"{os.fsdecode(rel)}: {'lost' if b is None else 'should not be there'}")
        elif a != b:
            out += [f"{os.fsdecode(rel)}: {f}: {x!r:.90} became {y!r:.90}"
                    for f, x, y in zip(fields, a, b) if x != y]
    return [*out[:most], *([f"and {len(out) - most} more"] if len(out) > most else [])]


def zstd_size(pieces):
    """Bytes that PIECES (bytes objects) have after zstd -1, each compressed alone."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as t:
        for i, piece in enumerate(pieces):
            pathlib.Path(t, f"{i:06d}").write_bytes(piece)
        names = sorted(os.listdir(t))
        if names:
            subprocess.run(["xargs", "zstd", "-1", "-q", "--no-check", "--rm"], cwd=t, check=True, text=True,
                           input="\n".join(names))
        return sum(os.path.getsize(os.path.join(t, n)) for n in os.listdir(t))


def cut(data, size=128 << 10):
    return [data[i:i + size] for i in range(0, len(data), size)]
