"""What bench.py measures on: data sets of a size, the same bytes every time, and changes to them.

A SCALE of 1 gives what the promises speak of; 0.1 a tenth of it.
"""

import os
import pathlib
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from host import HERE, Failure  # noqa: E402

CACHE = pathlib.Path(os.environ.get("VOLSNAP_TEST_CACHE", "/var/cache/volsnap-tests"))
# Raise when what `database` makes changes.
EDITION = 1
PAGE = 16384
TABLES = 4
# Do not wait for the disk at every commit; what is read later was flushed by a clean stop.
QUICK = ("SET GLOBAL innodb_flush_log_at_trx_commit = 0;"
         "SET GLOBAL innodb_buffer_pool_size = 1073741824;")


def run(words):
    r = subprocess.run(words, capture_output=True, text=True, errors="replace")
    if r.returncode != 0:
        raise Failure(f"{' '.join(map(str, words))}: {(r.stdout + r.stderr).strip()[-600:]}")
    return r.stdout


def rows_per_table(scale):
    return max(1000, int(1150000 * scale))


def server(data, sql, *benches):
    """A server on DATA: SQL, then the sysbench runs (lists of words), and a clean stop."""
    mariadb = str(HERE / "fixtures/mariadb.sh")
    with tempfile.TemporaryDirectory() as t:
        os.chmod(t, 0o777)
        run([mariadb, "--start", data, t + "/s"])
        try:
            run(["mariadb", "--no-defaults", f"--socket={t}/s", "-uroot", "-e", QUICK + sql])
            for script, *words in benches:
                run(["sysbench", script, "--db-driver=mysql", "--mysql-user=root", "--mysql-db=bench",
                     f"--mysql-socket={t}/s", f"--tables={TABLES}", "--threads=2", *words])
        finally:
            run([mariadb, "--stop", t + "/s"])


def database(top, scale):
    """A data directory of the distribution's server: sysbench's tables, and the small ones of the
    fixture.  Kept in the cache, named by the server's version and the rows."""
    rows = rows_per_table(scale)
    version = run(["dpkg-query", "-W", "-f", "${Version}", "mariadb-server"]).replace(":", "_")
    kept = CACHE / f"bench-{EDITION}-{rows}-{version}"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="bench.") as t:
            os.chmod(t, 0o711)
            made = pathlib.Path(t, "data")
            run([str(HERE / "fixtures/mariadb.sh"), made])
            server(made, "CREATE DATABASE bench", ["oltp_common", f"--table-size={rows}", "--rand-seed=7",
                                                   "prepare"])
            for p in [*made.glob("*.err"), *made.glob("*.pid"), *made.glob("ib_buffer_pool")]:
                p.unlink()
            run(["sync", "-f", made])
            made.rename(kept)
    run(["cp", "-a", "-T", kept, top])


def update_rows(data, scale, skewed, seed):
    """One row in a hundred of sysbench's tables, half of them in the indexed column."""
    each = TABLES * rows_per_table(scale) // 200
    words = [f"--table-size={rows_per_table(scale)}", f"--events={each}", "--time=0",
             f"--rand-type={'pareto' if skewed else 'uniform'}"]
    server(data, "DO 1", *([script, *words, f"--rand-seed={seed}", "run"]
                           for script in ("oltp_update_index", "oltp_update_non_index")))


def change_pages(data, seed):
    """One page in a hundred of all InnoDB tables, in place: a few hundred bytes in each."""
    rng = random.Random(seed)
    places = [(p, at) for p in sorted(data.glob("*/*.ibd")) if p.stat().st_size >= 1 << 16
              for at in range(0, p.stat().st_size, PAGE)]
    chosen = rng.sample(places, max(1, len(places) // 100))
    for path, at in sorted(chosen):
        with open(path, "r+b") as f:
            for _ in range(3):
                f.seek(at + rng.randrange(64, PAGE - 256))
                f.write(b"%0150d" % rng.getrandbits(480))
    return len(chosen) * PAGE


def files(top, scale):
    """SCALE * 100,000 small files: a Debian root with documentation and headers, and copies of it with
    another line in each."""
    run([str(HERE / "fixtures/debroot.sh"), top])
    want = int(100000 * scale)
    found = sorted(p for d, _, names in os.walk(top) for p in (os.path.join(d, n) for n in names)
                   if stat.S_ISREG(os.lstat(p).st_mode))
    if want < len(found):
        found.sort(key=lambda p: zlib.crc32(os.fsencode(os.path.relpath(p, top))))
        for p in found[want:]:
            os.unlink(p)
        return
    for p in found[:want - len(found)]:
        copy = os.path.join(top, "srv/copies", os.path.relpath(p, top))
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copy2(p, copy)
        body = pathlib.Path(copy).read_bytes()
        cut = body.find(b"\n", len(body) // 3) + 1
        pathlib.Path(copy).write_bytes(body[:cut] + b"copy %d\n" % zlib.crc32(body) + body[cut:])


def incompressible(top, scale):
    """1.5 GB of noise in a dozen files of odd sizes, as of photographs and films."""
    rng = random.Random(11)
    left = int(1.5e9 * scale)
    number = 0
    while left > 0:
        size = min(left, int(rng.uniform(30e6, 250e6) * min(1, scale * 2)) | 1)
        with open(top / f"film{number:02}.mp4", "wb") as f:
            for at in range(0, size, 1 << 20):
                f.write(rng.randbytes(min(1 << 20, size - at)))
        left -= size
        number += 1


AGENTS = ["Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0",
          "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 "
          "Safari/537.36", "curl/7.88.1", "kube-probe/1.27", "Prometheus/2.45.0", "python-requests/2.28.1"]
SERVICES = ["cart", "login", "search", "stock", "mail"]
MESSAGES = ["request done", "cache miss", "retry upstream", "session renewed", "slow query", "queue drained"]


def nginx(rng, number, hosts, paths, clock):
    """NUMBER lines of an access log."""
    for i, host, path, agent, n in zip(range(number), rng.choices(hosts, k=number), rng.choices(paths, k=number),
                                       rng.choices(AGENTS, weights=(9, 12, 2, 6, 3, 1), k=number),
                                       rng.choices(range(200, 90000), k=number)):
        day, time = clock(i)
        yield (f'{host} - - [{day:02}/Nov/2026:{time} +0000] "GET {path}?page={n % 97} HTTP/1.1" '
               f'{"200" if n % 31 else "404"} {n} "-" "{agent}" 0.{n % 997:03}\n')


def records(rng, number, hosts, paths, clock):
    """NUMBER lines of a service that logs JSON."""
    for i, host, path, n in zip(range(number), rng.choices(hosts, k=number), rng.choices(paths, k=number),
                                rng.choices(range(1 << 40), k=number)):
        day, time = clock(i)
        yield (f'{{"time":"2026-11-{day:02}T{time}.{n % 1000000:06}Z",'
               f'"level":"{"info" if n % 13 else "warn"}","service":"{SERVICES[n % 5]}",'
               f'"trace":"{n * 0x9E3779B97F4A7C15 & (1 << 64) - 1:016x}","peer":"{host}","path":"{path}",'
               f'"message":"{MESSAGES[n % 6]}","ms":{n % 9973 / 10}}}\n')


def logs(top, scale):
    """1.5 GB of access logs and JSON logs, a file of each a day for five days."""
    rng = random.Random(5)
    hosts = [".".join(str(rng.randrange(1, 255)) for _ in range(4)) for _ in range(3000)]
    paths = [f"/{rng.choice(SERVICES)}/{rng.choice(('item', 'list', 'user'))}/{rng.randrange(90000)}"
             for _ in range(4000)]
    times = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86400)]
    total = int(0.15e9 * scale)
    # in pieces, as `choices` makes lists
    piece = max(100, min(100000, total // 2000))
    for day in range(1, 6):
        for name, make, length in (("access", nginx, 170), ("service", records, 180)):
            with open(top / f"{name}.log.{day}", "w") as f:
                while (at := f.tell()) < total:
                    f.writelines(make(rng, piece, hosts, paths, lambda i: (
                        day, times[min(86399, (at + i * length) * 86400 // total)])))
