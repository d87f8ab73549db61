"""Random edits of a directory tree, for model.py: everything that an application may do to a volume.

What an Editor does follows from its random.Random alone (but for times).  Names are bytes.
"""

import errno
import mmap
import os
import pathlib
import shutil
import stat
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from host import punch  # noqa: E402

PAGE = 16384
LIMIT = 6 << 20  # bytes of the tree
NAMES = [b"a", b"b", b"data", b"table.ibd", b"x y", b"\xff\xfe", b"new\nline", b"-rf", b"..z",
         "\u00fcml".encode(), b"n" * 200, b"log", b"k=v", b"q%41", b"0", b"9"]


class Editor:
    def __init__(self, top, rng):
        self.top, self.rng = os.fsencode(top), rng
        self.edits = [
            (self.write, 8), (self.page, 8), (self.append, 4), (self.insert, 3), (self.cut, 2),
            (self.truncate, 2), (self.extend, 1), (self.hole, 2), (self.make, 8),
            (self.make_many, 1), (self.make_dir, 2), (self.rename, 4), (self.replace, 2),
            (self.exchange, 1), (self.unlink, 5), (self.remove_dir, 1), (self.link, 2),
            (self.symlink, 1), (self.fifo, 1), (self.file_by_dir, 1), (self.dir_by_file, 1),
            (self.chmod, 2), (self.chown, 1), (self.xattr, 2), (self.utime, 1), (self.copy, 2),
            (self.mapped, 4), (self.sneak, 3), (self.reborn, 2), (self.zeros, 1),
            (self.touch, 1), (self.rewrite_same, 1),
        ]

    def some(self, n):
        """N edits; the names of those done."""
        done = []
        weights = [w for _, w in self.edits]
        for _ in range(n):
            edit = self.rng.choices(self.edits, weights)[0][0]
            try:
                edit()
                done.append(edit.__name__)
            except (OSError, IndexError, ValueError) as e:
                if getattr(e, "errno", None) == errno.ENOSPC:
                    raise
                done.append(edit.__name__ + "-")  # not possible here
        while len(self.files()) < 3:  # a suddenly empty volume would be refused
            with open(os.path.join(self.top, b"stay%d" % self.rng.randrange(99)), "wb") as f:
                f.write(self.bytes(self.length()))
        while self.size() > LIMIT:
            os.unlink(max(self.files(), key=lambda p: (os.lstat(p).st_size, p)))
        return done

    # ---- what there is ----

    def walk(self):
        for d, dirs, files in os.walk(self.top):
            dirs.sort()
            yield d, dirs, sorted(files)

    def all(self):
        return [os.path.join(d, n) for d, dirs, files in self.walk() for n in dirs + files]

    def files(self):
        return [p for p in self.all() if stat.S_ISREG(os.lstat(p).st_mode)]

    def dirs(self):
        return [d for d, _, _ in self.walk()]

    def size(self):
        return sum(os.lstat(p).st_size for p in self.files())

    def file(self, least=0):
        return self.rng.choice([p for p in self.files() if os.lstat(p).st_size >= least])

    def new(self):
        """A path that may be taken."""
        d = self.rng.choice(self.dirs())
        name = self.rng.choice(NAMES) + b"%d" % self.rng.randrange(40) * self.rng.randrange(2)
        return os.path.join(d, name)

    # ---- content ----

    def bytes(self, n):
        r = self.rng
        kind = r.randrange(4)
        if kind == 0:
            return r.randbytes(n)
        if kind == 1:
            return r.randbytes(n // 2 + 1).hex().encode()[:n]
        if kind == 2:
            return (b"row %d of the table\n" % r.randrange(1000) * (n // 10 + 1))[:n]
        return bytes(n)

    def length(self):
        r = self.rng
        return r.choice([
            lambda: 0, lambda: r.randrange(1, 200), lambda: r.randrange(1, 9000),
            lambda: r.randrange(1, 70000), lambda: PAGE * r.randrange(1, 6) + r.randrange(-1, 2),
            lambda: 65536 + r.randrange(-1, 2), lambda: 4096 * r.randrange(16, 80),
            lambda: 4096 * r.randrange(16, 300), lambda: r.randrange(65536, 700000),
        ])()

    # ---- edits ----

    def make(self):
        with open(self.new(), "xb") as f:
            f.write(self.bytes(self.length()))

    def make_many(self):
        d = self.rng.choice(self.dirs())
        for i in range(self.rng.randrange(10, 60)):
            with open(os.path.join(d, b"many%03d" % (i * self.rng.randrange(1, 4))), "wb") as f:
                f.write(self.bytes(self.rng.randrange(300)))

    def make_dir(self):
        os.mkdir(self.new(), 0o750)

    def write(self):
        p = self.file(1)
        size = os.lstat(p).st_size
        with open(p, "r+b") as f:
            f.seek(self.rng.randrange(size))
            f.write(self.bytes(min(self.length(), 70000)))

    def page(self):
        """Pages in place, as a database does."""
        p = self.file(PAGE)
        n = os.lstat(p).st_size // PAGE
        with open(p, "r+b") as f:
            for _ in range(self.rng.randrange(1, 4)):
                f.seek(self.rng.randrange(n) * PAGE)
                f.write(self.bytes(PAGE))

    def append(self):
        with open(self.file(), "ab") as f:
            f.write(self.bytes(self.length() % 30000))

    def insert(self):
        p = self.file(1)
        old = pathlib.Path(os.fsdecode(p)).read_bytes()
        at = self.rng.randrange(len(old))
        with open(p, "wb") as f:
            f.write(old[:at] + self.bytes(self.rng.randrange(1, 3000)) + old[at:])

    def cut(self):
        p = self.file(2)
        old = pathlib.Path(os.fsdecode(p)).read_bytes()
        at = self.rng.randrange(len(old))
        with open(p, "wb") as f:
            f.write(old[:at] + old[at + self.rng.randrange(1, 3000):])

    def truncate(self):
        p = self.file(1)
        os.truncate(p, self.rng.randrange(os.lstat(p).st_size))

    def extend(self):
        p = self.file()
        os.truncate(p, os.lstat(p).st_size + self.length())

    def hole(self):
        p = self.file(PAGE)
        size = os.lstat(p).st_size
        fd = os.open(p, os.O_RDWR)
        try:
            punch(fd, self.rng.randrange(size), self.rng.randrange(1, size + 1))
        finally:
            os.close(fd)

    def zeros(self):
        """T13: zeros at the sizes where chunks and frames end."""
        edges = [1, 4096, PAGE, 65536, 131072, 524288]
        with open(self.new(), "xb") as f:
            f.write(bytes(self.rng.choice(edges) + self.rng.randrange(-1, 2)))

    def rename(self):
        os.rename(self.rng.choice(self.all()), self.new())

    def replace(self):
        """As editors save: a new file over the old name."""
        p = self.file()
        with open(p + b".tmp", "wb") as f:
            f.write(self.bytes(self.rng.choice([os.lstat(p).st_size, self.length()])))
        os.rename(p + b".tmp", p)

    def exchange(self):
        a, b = self.rng.sample(self.files(), 2)
        os.rename(a, a + b".x")
        os.rename(b, a)
        os.rename(a + b".x", b)

    def unlink(self):
        os.unlink(self.rng.choice([p for p in self.all() if not os.path.isdir(p)
                                   or os.path.islink(p)]))

    def remove_dir(self):
        shutil.rmtree(self.rng.choice(self.dirs()[1:]))

    def link(self):
        os.link(self.file(), self.new())

    def symlink(self):
        os.symlink(self.rng.choice(NAMES) * self.rng.randrange(1, 3), self.new())

    def fifo(self):
        os.mkfifo(self.new())

    def file_by_dir(self):
        p = self.file()
        os.unlink(p)
        os.mkdir(p)
        with open(os.path.join(p, b"in"), "wb") as f:
            f.write(self.bytes(100))

    def dir_by_file(self):
        p = self.rng.choice(self.dirs()[1:])
        shutil.rmtree(p)
        with open(p, "wb") as f:
            f.write(self.bytes(self.length()))

    def chmod(self):
        p = self.rng.choice([p for p in self.all() if not os.path.islink(p)] + [self.top])
        os.chmod(p, self.rng.choice([0o600, 0o644, 0o755, 0o4711, 0o1777, 0o000]))

    def chown(self):
        os.lchown(self.rng.choice(self.all()), self.rng.randrange(70000), self.rng.randrange(300))

    def xattr(self):
        p = self.rng.choice([p for p in self.files() + self.dirs()])
        name = self.rng.choice(["user.a", "user.b", "trusted.c"])
        if name in os.listxattr(p) and self.rng.randrange(2):
            os.removexattr(p, name)
        else:
            os.setxattr(p, name, self.rng.randbytes(self.rng.randrange(1, 300)))

    def utime(self):
        p = self.rng.choice(self.all() + [self.top])
        at = self.rng.choice([0, 1, -1234567890123456789, 4102444800 * 10**9 + 7,
                              self.rng.randrange(10**18, 17 * 10**17)])
        os.utime(p, ns=(at, at), follow_symlinks=False)

    def touch(self):
        for p in self.all()[::self.rng.randrange(1, 5)]:
            os.utime(p, follow_symlinks=False)

    def copy(self):
        """A second file of the same content, or nearly the same."""
        src, dst = self.file(), self.new()
        if os.path.lexists(dst):
            return
        shutil.copyfile(src, dst)
        if self.rng.randrange(2):
            with open(dst, "r+b") as f:
                f.seek(os.lstat(dst).st_size // 2)
                f.write(b"!")

    def rewrite_same(self):
        """The same bytes once more: times change, content does not."""
        p = self.file()
        data = pathlib.Path(os.fsdecode(p)).read_bytes()
        with open(p, "r+b") as f:
            f.write(data)

    def mapped(self):
        """Stores through a mapping."""
        p = self.file(1)
        fd = os.open(p, os.O_RDWR)
        with mmap.mmap(fd, 0) as m:
            os.close(fd)
            for _ in range(self.rng.randrange(1, 5)):
                at = self.rng.randrange(len(m))
                piece = self.bytes(self.rng.randrange(1, 5000))[:len(m) - at]
                m[at:at + len(piece)] = piece
            if self.rng.randrange(2):
                m.flush()

    def sneak(self):
        """Other content under the same size and mtime: only ctime tells."""
        p = self.file(1)
        st = os.lstat(p)
        with open(p, "r+b") as f:
            f.seek(self.rng.randrange(st.st_size))
            piece = self.bytes(self.rng.randrange(1, 20000))
            f.write(piece[:st.st_size - f.tell()])
        os.utime(p, ns=(st.st_atime_ns, st.st_mtime_ns))

    def reborn(self):
        """Another file of the same name, size, mtime, and often the same inode number."""
        p = self.file(1)
        st = os.lstat(p)
        os.unlink(p)
        with open(p, "xb") as f:
            f.write(self.bytes(st.st_size))
        os.utime(p, ns=(st.st_atime_ns, st.st_mtime_ns))
