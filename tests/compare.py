#!/usr/bin/env python3
"""Compare two directory trees in everything that a restore must bring back.

    compare.py A B [--ignore-flags] [--allow ATTR[:GLOB]]...

A is the original, B the copy. One line per difference, `ATTR: path: a != b`, and a last line `N differences in M entries`.
Exit 0: none, 1: some, 2: wrong usage. Paths are relative to the roots; every byte of a name that is not printable ASCII, and
every blank and backslash, is shown as \\xNN (the root itself is `.`).

ATTR   name type mode uid gid mtime size content target device link xattr acl flag hole error

name    an entry is there on one side only (of a directory, only the top is named)
link    the two sides group paths into hard links differently
acl     POSIX ACLs, access and default, as sets of entries; other extended attributes are `xattr`, one line per name
flag    immutable (i), append only (a), no dump (d), no atime (A), of regular files and directories
hole    a hole of A, rounded inwards to 4 KiB, has data in B. Only this way round: B may be sparser. Space that A has allocated
        but never written may come back either way (it reads as a hole, or as data while it is in the page cache)
error   something could not be read: never taken as equal

Sockets in A are ignored; so are the sizes of directories, access and change times. --allow accepts differences of one ATTR, of
all paths or of those whose shown form fits GLOB. Run it as root: others see neither trusted attributes nor foreign files.
"""
import argparse
import array
import errno
import fcntl
import fnmatch
import os
import resource
import stat
import struct
import sys

BLOCK = 4096
CHUNK = 1 << 18
ACLS = ("system.posix_acl_access", "system.posix_acl_default")
ACL_TAGS = {0x01: "u:", 0x02: "u:", 0x04: "g:", 0x08: "g:", 0x10: "m:", 0x20: "o:"}
ACL_NAMED = (0x02, 0x08)
FS_IOC_GETFLAGS = 0x80086601
FS_IOC_FIEMAP = 0xC020660B
FLAGS = {0x10: "i", 0x20: "a", 0x40: "d", 0x80: "A"}
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
    stat.S_IFSOCK: "socket",
}
ATTRS = "name type mode uid gid mtime size content target device link xattr acl flag hole error".split()
ABSENT = (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP)


def shown(raw):
    """Bytes as unambiguous printable ASCII without blanks."""
    return "".join(chr(b) if 0x20 < b < 0x7F and b != 0x5C else "\\x%02x" % b for b in raw)


def value_shown(value):
    if value is None:
        return "absent"
    head = shown(value[:60]) + ("...(%d)" % len(value) if len(value) > 60 else "")
    return '"' + head + '"'


def acl_shown(value):
    """A POSIX ACL in its kernel form as sorted text; two ACLs are equal if their texts are."""
    if value is None:
        return "absent"
    if len(value) < 4 or (len(value) - 4) % 8 or struct.unpack_from("<I", value)[0] != 2:
        return "raw:" + value.hex()
    entries = []
    for tag, perm, who in struct.iter_unpack("<HHI", value[4:]):
        bits = "".join(c if perm & bit else "-" for c, bit in (("r", 4), ("w", 2), ("x", 1)))
        entries.append((tag, who if tag in ACL_NAMED else 0, bits))
    return ",".join(
        "%s%s:%s" % (ACL_TAGS.get(tag, "?%d:" % tag), who if tag in ACL_NAMED else "", bits) for tag, who, bits in sorted(entries)
    )


class Report:
    """Counts and prints differences, and forgets those that were allowed."""

    def __init__(self, allowed):
        self.allowed = allowed
        self.differences = 0
        self.entries = 0

    def differ(self, attr, path, a, b):
        text = shown(path)
        for allowed_attr, glob in self.allowed:
            if attr == allowed_attr and (glob is None or fnmatch.fnmatchcase(text, glob)):
                return
        self.differences += 1
        print("%s: %s: %s != %s" % (attr, text, a, b))


class Entry:
    """One entry of one tree, reached through the descriptor of its directory, so that depth and length do not matter."""

    def __init__(self, dirfd, name):
        self.dirfd = dirfd
        self.name = name
        self.stat = os.lstat(name) if dirfd is None else os.stat(name, dir_fd=dirfd, follow_symlinks=False)
        self.type = stat.S_IFMT(self.stat.st_mode)
        self.fd = -1

    def open(self):
        """Open a regular file or directory without touching its access time."""
        how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        if self.type == stat.S_IFDIR:
            how |= os.O_DIRECTORY
        try:
            self.fd = os.open(self.name, how | os.O_NOATIME, dir_fd=self.dirfd)
        except PermissionError:
            self.fd = os.open(self.name, how, dir_fd=self.dirfd)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def list(self):
        """Names in the directory, sorted."""
        return sorted(os.listdir(b"/proc/self/fd/%d" % self.fd))

    def xattrs(self):
        """All extended attributes, ACLs among them, by name."""
        if self.fd >= 0:
            where, follow = self.fd, True
        else:
            where, follow = b"/proc/self/fd/%d/%s" % (self.dirfd, self.name), False
        found = {}
        try:
            names = os.listxattr(where, follow_symlinks=follow)
        except OSError as e:
            if e.errno not in ABSENT:
                raise
            names = []
        for name in names:
            found[name] = os.getxattr(where, name, follow_symlinks=follow)
        # not every file system lists its ACLs
        for name in ACLS if self.type != stat.S_IFLNK else ():
            if name in found or (name == ACLS[1] and self.type != stat.S_IFDIR):
                continue
            try:
                found[name] = os.getxattr(where, name, follow_symlinks=follow)
            except OSError as e:
                if e.errno not in ABSENT:
                    raise
        return found

    def flags(self):
        """Flags as letters; none where the file system has no flags."""
        buf = array.array("L", [0])
        try:
            fcntl.ioctl(self.fd, FS_IOC_GETFLAGS, buf)
        except OSError as e:
            if e.errno in (errno.ENOTTY, errno.EINVAL, errno.ENOSYS) + ABSENT:
                return "-"
            raise
        return "".join(c for bit, c in FLAGS.items() if buf[0] & bit) or "-"

    def allocated(self, start, end):
        """True if any of the range has blocks, written or not."""
        buf = bytearray(struct.pack("<QQLLLL", start, end - start, 0, 0, 0, 0))
        try:
            fcntl.ioctl(self.fd, FS_IOC_FIEMAP, buf)
        except OSError:
            return False
        return struct.unpack("<QQLLLL", buf)[3] > 0

    def data(self):
        """Ranges (start, end) of data, in order; None if the file system does not tell."""
        size = self.stat.st_size
        try:
            os.lseek(self.fd, 0, os.SEEK_HOLE)
        except OSError as e:
            if e.errno != errno.ENXIO:
                return None

        def ranges():
            at = 0
            while at < size:
                try:
                    start = os.lseek(self.fd, at, os.SEEK_DATA)
                except OSError as e:
                    if e.errno == errno.ENXIO:
                        return
                    raise
                at = os.lseek(self.fd, start, os.SEEK_HOLE)
                if start < size:
                    yield start, min(at, size)

        return ranges()


def merged(first, second):
    """Union of two ordered sequences of ranges, in order, overlaps joined."""
    first, second = iter(first), iter(second)
    a, b = next(first, None), next(second, None)
    start = end = 0
    while a is not None or b is not None:
        if b is None or (a is not None and a <= b):
            low, high = a
            a = next(first, None)
        else:
            low, high = b
            b = next(second, None)
        if low > end:
            if end > start:
                yield start, end
            start = low
        end = max(end, high)
    if end > start:
        yield start, end


def lost_holes(data_a, data_b, size):
    """Ranges of data in B that lie inside a hole of A after rounding."""
    hole = 0
    b = next(data_b, None)
    for start, end in list_end(data_a, size):
        low, high = -(-hole // BLOCK) * BLOCK, start if start == size else start // BLOCK * BLOCK
        while b is not None and b[0] < high:
            if max(b[0], low) < min(b[1], high):
                yield max(b[0], low), min(b[1], high)
            if b[1] > high:
                break
            b = next(data_b, None)
        hole = end


def list_end(ranges, size):
    """The ranges and an empty one at the end."""
    yield from ranges
    yield size, size


class Comparer:
    def __init__(self, report, ignore_flags):
        self.report = report
        self.ignore_flags = ignore_flags
        # (device, inode) -> (partner on the other side, first path), for entries with several names
        self.pairs_a = {}
        self.pairs_b = {}
        self.buf_a = bytearray(CHUNK)
        self.buf_b = bytearray(CHUNK)

    def compare(self, a, b, path):
        """Compare two entries of one name; true if both are directories to go into. Those are left open."""
        self.report.entries += 1
        differ = self.report.differ
        if a.type != b.type:
            differ("type", path, KINDS.get(a.type, "?"), KINDS.get(b.type, "?"))
            return False
        sa, sb = a.stat, b.stat
        if stat.S_IMODE(sa.st_mode) != stat.S_IMODE(sb.st_mode):
            differ("mode", path, "%04o" % stat.S_IMODE(sa.st_mode), "%04o" % stat.S_IMODE(sb.st_mode))
        if sa.st_uid != sb.st_uid:
            differ("uid", path, sa.st_uid, sb.st_uid)
        if sa.st_gid != sb.st_gid:
            differ("gid", path, sa.st_gid, sb.st_gid)
        if sa.st_mtime_ns != sb.st_mtime_ns:
            differ("mtime", path, "%d.%09d" % divmod(sa.st_mtime_ns, 10**9), "%d.%09d" % divmod(sb.st_mtime_ns, 10**9))
        if a.type in (stat.S_IFCHR, stat.S_IFBLK) and sa.st_rdev != sb.st_rdev:
            differ("device", path, *("%d,%d" % (os.major(s.st_rdev), os.minor(s.st_rdev)) for s in (sa, sb)))
        if a.type == stat.S_IFLNK:
            ta, tb = (os.readlink(e.name, dir_fd=e.dirfd) for e in (a, b))
            if ta != tb:
                differ("target", path, shown(ta), shown(tb))
        if a.type != stat.S_IFDIR and (sa.st_nlink > 1 or sb.st_nlink > 1):
            self.compare_links(sa, sb, path)
        into = a.type == stat.S_IFDIR
        try:
            if a.type in (stat.S_IFREG, stat.S_IFDIR):
                a.open()
                b.open()
                if not self.ignore_flags:
                    fa, fb = a.flags(), b.flags()
                    if fa != fb:
                        differ("flag", path, fa, fb)
            self.compare_xattrs(a.xattrs(), b.xattrs(), path)
            if a.type == stat.S_IFREG:
                self.compare_bodies(a, b, path)
        except OSError as e:
            differ("error", path, "readable", e.strerror)
            into = False
        if not into:
            a.close()
            b.close()
        return into

    def compare_links(self, sa, sb, path):
        ia, ib = (sa.st_dev, sa.st_ino), (sb.st_dev, sb.st_ino)
        pa = self.pairs_a.setdefault(ia, (ib, path))
        pb = self.pairs_b.setdefault(ib, (ia, path))
        if pa[0] != ib or pb[0] != ia:
            texts = ["same as " + shown(p) if p != path else "a file of its own" for p in (pa[1], pb[1])]
            self.report.differ("link", path, *texts)

    def compare_xattrs(self, xa, xb, path):
        if xa == xb:
            return
        for name in sorted(xa.keys() | xb.keys()):
            va, vb = xa.get(name), xb.get(name)
            if name in ACLS:
                ta, tb = acl_shown(va), acl_shown(vb)
                if ta != tb:
                    which = name.rpartition("_")[2]
                    self.report.differ("acl", path, which + ":" + ta, which + ":" + tb)
            elif va != vb:
                text = shown(os.fsencode(name))
                self.report.differ("xattr", path, text + "=" + value_shown(va), text + "=" + value_shown(vb))

    def compare_bodies(self, a, b, path):
        size = a.stat.st_size
        if size != b.stat.st_size:
            self.report.differ("size", path, size, b.stat.st_size)
            return
        if size == 0:
            return
        data_a, data_b = a.data(), b.data()
        if data_a is None or data_b is None:
            known = iter([(0, size)])
        else:
            known = merged(data_a, data_b)
            for start, end in lost_holes(a.data(), b.data(), size):
                if not a.allocated(start, end):
                    self.report.differ("hole", path, "hole at %d" % start, "data up to %d" % end)
                    break
        for start, end in known:
            while start < end:
                n = min(CHUNK, end - start)
                va, vb = memoryview(self.buf_a)[:n], memoryview(self.buf_b)[:n]
                na, nb = os.preadv(a.fd, [va], start), os.preadv(b.fd, [vb], start)
                n = min(na, nb)
                if n == 0:
                    self.report.differ("error", path, "%d bytes at %d" % (na, start), "%d bytes" % nb)
                    return
                if va[:n] != vb[:n]:
                    i = next(i for i in range(n) if va[i] != vb[i])
                    self.report.differ("content", path, "0x%02x at %d" % (va[i], start + i), "0x%02x" % vb[i])
                    return
                start += n

    def missing(self, entry, path, in_a):
        """An entry of one side only. Sockets of A are not expected in B."""
        if in_a and entry.type == stat.S_IFSOCK:
            return
        self.report.entries += 1
        kind = KINDS.get(entry.type, "?")
        self.report.differ("name", path, *((kind, "absent") if in_a else ("absent", kind)))

    def children(self, a, b, path):
        """The names of both directories merged: yields (in_a, in_b, name)."""
        names_a, names_b = a.list(), b.list()
        i = j = 0
        while i < len(names_a) or j < len(names_b):
            na = names_a[i] if i < len(names_a) else None
            nb = names_b[j] if j < len(names_b) else None
            in_a = nb is None or (na is not None and na <= nb)
            in_b = na is None or (nb is not None and nb <= na)
            i += in_a
            j += in_b
            yield in_a, in_b, na if in_a else nb

    def run(self, root_a, root_b):
        a, b = Entry(None, root_a), Entry(None, root_b)
        if not self.compare(a, b, b"."):
            return
        stack = [(a, b, b"", self.children(a, b, b""))]
        while stack:
            a, b, path, names = stack[-1]
            try:
                step = next(names, None)
            except OSError as e:
                self.report.differ("error", path or b".", "readable", e.strerror)
                step = None
            if step is None:
                stack.pop()
                a.close()
                b.close()
                continue
            in_a, in_b, name = step
            at = path + b"/" + name if path else name
            try:
                ea = Entry(a.fd, name) if in_a else None
                eb = Entry(b.fd, name) if in_b else None
            except OSError as e:
                self.report.differ("error", at, "there", e.strerror)
                continue
            if not (in_a and in_b):
                self.missing(ea or eb, at, in_a)
            elif ea.type == eb.type == stat.S_IFSOCK:
                continue
            elif self.compare(ea, eb, at):
                stack.append((ea, eb, at, self.children(ea, eb, at)))


def allowance(text):
    attr, colon, glob = text.partition(":")
    if attr not in ATTRS:
        raise argparse.ArgumentTypeError("unknown attribute %r" % attr)
    return attr, glob if colon else None


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2].strip())
    parser.add_argument("a", type=os.fsencode)
    parser.add_argument("b", type=os.fsencode)
    parser.add_argument("--ignore-flags", action="store_true")
    parser.add_argument("--allow", type=allowance, action="append", default=[], metavar="ATTR[:GLOB]")
    args = parser.parse_args()
    for root in (args.a, args.b):
        if os.path.islink(root) or not os.path.isdir(root):
            print("compare: %s: not a directory" % shown(root), file=sys.stderr)
            return 2
    if os.geteuid() != 0:
        print("compare: not root: some attributes cannot be seen", file=sys.stderr)
    # two descriptors per level are held
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = Report(args.allow)
    Comparer(report, args.ignore_flags).run(args.a, args.b)
    print("%d differences in %d entries" % (report.differences, report.entries))
    return 1 if report.differences else 0


if __name__ == "__main__":
    sys.exit(main())
