#!/usr/bin/env python3
"""An independent second reader of the archive format VS1, written from docs/format.md alone.

usage: reader.py STORE [--key FILE] [--authority HEX] list|verify|tar HOST/VOLUME[@WHICH] [-o FILE]
FILE is paper text of the recovery key or a reader key file; only verify does without. Authority is
what the recovery key derives, or HEX, or else that of the first descriptor with a good signature:
trust on first use. HOST/VOLUME are directories, VOLUME also without its .SSSSSSSS; WHICH a number
or the id of an archive. Exit: 0 good, 2 usage, 5 damaged ("FILE: reason" on stderr)."""
import argparse, contextlib, ctypes, functools, glob, hashlib, itertools
import os, re, struct, sys  # flake8: ignore=E301,E302,E305,E401,E701,E704

SEGMENT, PAYLOAD, BODY, HEAD, NODE, ROOT = 16384, 16366, 1, 2, 3, 4
LIMITS = {BODY: 589824, HEAD: 589824, NODE: 65536, ROOT: 65536}
libsodium, libzstd, failed = ctypes.CDLL("libsodium.so.23"), ctypes.CDLL("libzstd.so.1"), set()
libzstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t] * 2
class Damaged(Exception): where = "store"  # the file last read from, which is the one to name
def need(condition, reason):
    if not condition: raise Damaged(f"{Damaged.where}: {reason}")
@contextlib.contextmanager
def noting(file):  # reports damage, once for each file, and goes on
    try:
        yield
    except (Damaged, OSError, ValueError) as error:
        if file not in failed:
            print(error if isinstance(error, Damaged) else f"{file}: {error}", file=sys.stderr)
        failed.add(file)
def sodium(name, size, *args):  # what the function writes into its first argument
    out, args = ctypes.create_string_buffer(size), [
        ctypes.c_ulonglong(arg) if isinstance(arg, int) else arg for arg in args]
    need(getattr(libsodium, "crypto_" + name)(out, *args) == 0, f"{name} fails")
    return out.raw
def unseal(key, nonce, ad, box):
    return sodium("aead_chacha20poly1305_ietf_decrypt", len(box), None, None, box, len(box),
                  ad, len(ad), nonce, key)[:-16]
def check_signature(public, signature, msg):
    sodium("sign_open", 64 + len(msg), None, signature + msg, 64 + len(msg), public)
def b2(label, key, msg, n):
    return hashlib.blake2b(msg, digest_size=n, key=key, person=label.encode()).digest()
def pread(path, offset=0, n=None):  # n bytes, or all from offset to the end
    Damaged.where, n = path, os.path.getsize(path) - offset if n is None else n
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        data = os.pread(file.fileno(), n, offset)
    need(len(data) == n, "the file is too short")
    return data
def up(n, unit): return -(-n // unit) * unit
def padme(n): return up(n, 1 << max((e := n.bit_length() - 1) - e.bit_length(), 0))
def unzstd(data, ulen):  # exactly one frame, of known size, without dictionary and checksum
    c, block, out = Cursor(data), 0, ctypes.create_string_buffer(ulen)
    magic, flags = c.unpack("IB")
    window, width = 0 if flags & 32 else c.uint(1), (flags >> 5 & 1, 2, 4, 8)[flags >> 6]
    size = c.uint(width) + 256 * (width == 2)
    need((magic, flags & 15, size) == (0xFD2FB528, 0, ulen), "zstd magic, flags or content size")
    need((8 + window % 8) << window // 8 + 7 <= 1 << 20, "zstd window over 1 MiB")
    while not block & 1:
        block = c.uint(3)
        c.take(1 if block & 6 == 2 else block >> 3)
    done = libzstd.ZSTD_decompress(out, ulen, data, len(data))
    need(done == ulen and not c.left(), "zstd data, or more than one frame")
    return out.raw

class Cursor:  # takes fields from bytes, one after the other
    def __init__(self, data): self.data, self.pos = data, 0
    def left(self): return len(self.data) - self.pos
    def take(self, n):
        need(0 <= n <= self.left(), "a field goes over the end")
        self.pos += n
        return self.data[self.pos - n:self.pos]
    def uint(self, n): return int.from_bytes(self.take(n), "little")
    def unpack(self, layout):  # as in struct, but bytes skipped with x must be zero
        raw = self.take(struct.calcsize("<" + layout))
        values = struct.unpack("<" + layout, raw)
        need(struct.pack("<" + layout, *values) == raw, "a pad that must be zero is not")
        return values
    def varint(self, signed=False):
        value, shift, byte = 0, 0, 128
        while byte & 128:
            byte = self.uint(1)
            value, shift = value | (byte & 127) << shift, shift + 7
        need(value < 1 << 64 and shift <= 70 and (byte or shift == 7), "bad varint")
        return (value >> 1) ^ -(value & 1) if signed else value
    def tlvs(self, size):
        area, found = Cursor(self.take(size)), []
        while area.left():
            found.append((area.uint(2), area.take(area.uint(2))))
        need(sum(kind < 0x8000 for kind in dict(found)) == len(found), "a TLV twice or unknown")
        return dict(found)
def read_key(path):  # role, X25519 secret, authority (of the recovery key alone)
    data, bits = pread(path), ""
    if data.startswith(b"VSKEY1\0\0"):
        secret, check = data[16:48], b2("vs1.kc", data[16:48], b"\3", 16)
        need(data[8:] == b"\3" + bytes(7) + secret + check, "not a good key file of a reader")
        return 3, secret, None
    chars = re.sub(r"(?m)^#.*|[\s-]", "", data.decode("ascii")).upper()
    digits = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZOILU", "ABCDEFGHIJKLMNOPQRSTUV011?")
    need(len(chars) == 64, "a paper key has 64 characters")
    for line in range(1, 7):
        row, check = chars[11 * line - 11:11 * line][:-1].translate(digits), chars[:11 * line][-1]
        total = 11 * line + sum(i * int(digit, 32) for i, digit in enumerate(row, 1))
        need("0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U"[total % 37] == check, f"check of line {line}")
        bits += row
    raw = (int(bits, 32) << 6).to_bytes(37, "big")
    need(raw[:1] + raw[33:] == b"\1" + b2("vs1.paper", b"", raw[:33], 16)[:3] + b"\0", "checksum")
    secret, seed = (b2(label, raw[1:33], b"", 32) for label in ("vs1.seed.x", "vs1.seed.ed"))
    return 2, secret, sodium("sign_seed_keypair", 32, ctypes.create_string_buffer(64), seed)

class Part:  # one file of an archive, read by a valid copy of its trailer and of its header
    def __init__(self, store, path):
        Damaged.where, self.path, self.size = path, path, os.path.getsize(path)
        self.name, failure = "/".join(path.split("/")[-3:-1]), Damaged(f"{path}: no trailer found")
        ends = range(self.size, self.size // 2, -4096)
        for end in (end for end in ends if pread(path, end - 4, 4) == b"VEND"):
            try:
                self.parse_trailer(end)
                self.parse_header(store.id)
                break
            except Damaged as error:
                failure = error
        else:
            raise failure
        need(store.hosts.get(self.host_pk) == self.host, "foreign: no host grant fits")
        need(1 <= self.epoch <= store.epoch, "names a descriptor that is not there")
        ending = ".vsf" if self.flags & 1 else f".{self.number:04d}.vsa"
        name = f".{self.stream[:4].hex()}/{self.seq:010d}-{self.archive.hex()}{ending}"
        need(path.endswith(name), "name and header or FINAL disagree")
    def parse_trailer(self, end):
        size = Cursor(pread(self.path, end - 8, 4)).uint(4)
        self.trailer = raw = pread(self.path, max(end - size, 0), min(size, end))
        c = Cursor(raw)
        magic, length, self.flags, self.n, again, self.hh = c.unpack("8sIIII32s")
        need(magic == b"VSTRAIL1" and self.flags < 4 and self.n == again, "not a trailer")
        need(self.n and padme(self.n) == self.n, "the number of segments is not padded")
        self.slots = c.take(16 * self.n)
        if self.flags & 1:
            self.hashes = [c.take(32) for _ in range(c.uint(4) - 1)]
            *self.parent, self.root_offset, count = c.unpack("16sQ32sQH")
            self.dependencies = [c.unpack("Q16s32sQ")[:3] for _ in range(count)]
            self.summary = c.take(272)
            c.tlvs(c.uint(4))
            self.inner, self.chain = b2("vs1.chain", b"", raw[:c.pos], 32), c.take(32)
        self.hash, self.signature = b2("vs1.trailer", b"", raw[:c.pos], 32), c.take(64)
        footer = self.hash + struct.pack("<I", up(length + 40, 4096)) + b"VEND"
        pad = bytes(up(length + 40, 4096) - length - 40)
        need(c.pos == length and raw[length:] == pad + footer, "length, hash or pad of the trailer")
    def parse_header(self, store_id):
        twice = self.size - 2 * len(self.trailer) - SEGMENT * self.n
        need(8192 <= twice <= 131072 and twice % 8192 == 0, "the length of the file does not fit")
        self.end = self.size - 2 * len(self.trailer) - twice // 2
        copies = [pread(self.path, start, twice // 2) for start in (0, self.end)]
        raw = copies[b2("vs1.hdrhash", b"", copies[0], 32) != self.hh]
        need(b2("vs1.hdrhash", b"", raw, 32) == self.hh, "both copies of the header are damaged")
        c = Cursor(raw)
        (*magic, store, self.stream, self.archive, self.seq, self.number, log2, suite,
         self.kind, self.epoch, stanzas, self.host_pk, _, self.eph, nonce, host_len, volume_len,
         tlv_len) = c.unpack("8sHHI16s16s16sQIBBBxIH2x32sq32s16sHHI")
        need(magic + [log2, suite, store] == [b"\x89VSNA\r\n\x1a", 1, 0, len(raw), 14, 1, store_id],
             "magic, version, flags, length, segment size, suite or store id")
        need(self.seq and self.number and 1 <= self.kind <= 3 and 1 <= stanzas <= 64 and
             1 <= host_len <= 63 and 1 <= volume_len <= 4095, "a number out of its range")
        self.stanzas = [c.take(64) for _ in range(stanzas)]
        self.host, self.volume, self.header = c.take(host_len), c.take(volume_len), raw
        self.shared = raw[16:72] + raw[78:79] + raw[88:120] + raw[128:180] + raw[184:c.pos]
        need(len(c.tlvs(tlv_len).get(1, bytes(32))) == 32, "length of the predecessor")
        need(not any(c.take(c.left() - 32)) and 0 not in self.host + self.volume, "pad or label")
        stream = self.host_pk + bytes([self.kind]) + nonce + self.volume
        need(b2("vs1.stream", b"", stream, 16) == self.stream, "stream id does not fit")
        check_signature(self.host_pk, self.signature, b"vs1.trailer" + store_id + self.hash)
    def check_bytes(self):  # every byte, for which no key is needed
        ends = pread(self.path, 0, len(self.header)) + pread(self.path, self.end)
        need(ends == 2 * self.header + 2 * self.trailer, "a copy of header or trailer is damaged")
        for i in range(self.n): self.segment(i)
    def segment(self, i):
        raw = pread(self.path, len(self.header) + i * SEGMENT, SEGMENT)
        slot = b2("vs1.slot", b"", struct.pack("<Q", i) + raw, 16)
        need(slot == self.slots[16 * i:16 * i + 16], f"segment {i} is damaged")
        return raw
    @functools.lru_cache(maxsize=64)
    def plain(self, i):
        return unseal(self.key, struct.pack("<QI", i, i == self.n - 1), b"", self.segment(i))
    def read(self, offset, n):
        need(0 <= offset <= self.n * PAYLOAD - n, "a record goes over the ends of the part")
        segments = range(offset // PAYLOAD, up(offset + n, PAYLOAD) // PAYLOAD)
        return b"".join(self.plain(i)[2:] for i in segments)[offset % PAYLOAD:][:n]
    def record_at(self, offset):  # type, id, plaintext, end; None where the records end
        Damaged.where = self.path
        if offset + 48 > self.n * PAYLOAD or self.read(offset, 1) == b"\0": return None
        kind, codec, clen, ulen, rid = Cursor(self.read(offset, 48)).unpack("BB2xII4x32s")
        need(codec <= 1 and clen <= ulen <= LIMITS.get(kind, -1) and (codec or clen == ulen), "head")
        data = self.read(offset + 48, clen)
        return kind, rid, unzstd(data, ulen) if codec else data, offset + 48 + clen

class Snapshot(Part):  # the last part of an archive; it knows the others and its dependencies
    def __init__(self, store, path):
        super().__init__(store, path)
        self.parts = [Part(store, f"{path[:-3]}{i:04d}.vsa") for i in range(1, self.number)] + [self]
        need([(part.hash, part.shared) for part in self.parts[:-1]] == [
            (digest, self.shared) for digest in self.hashes], "not the parts the last one names")
    def link(self, finals):  # finds dependencies, and the parent if it still is; checks the chain
        Damaged.where, links, (archive, seq, digest) = self.path, self.dependencies, self.parent
        need(links == sorted({link[0]: link for link in links}.values()), "order of dependencies")
        for link in links + [(seq, archive, digest)] * (archive in finals):
            other = finals.get(link[1])
            need(other and (other.seq, other.archive, other.hash) == link and other.seq < self.seq
                 and other.stream == self.stream, f"{link[0]}, dependency or parent, is not there")
        self.sources = {self.seq: self, **{link[0]: finals[link[1]] for link in links}}
        if archive in finals or archive == bytes(16):
            before = finals[archive].chain if archive in finals else bytes(32)
            need(b2("vs1.chain", b"", before + self.inner, 32) == self.chain, "chain")
    def open(self, role, secret, _):  # reads ROOT; False if an archive has no stanza for the key
        public = sodium("scalarmult_base", 32, secret)
        kid = bytes([role]) + b2("vs1.kid", b"", public, 15)
        for s in self.sources.values():
            boxes, Damaged.where = [box[16:] for box in s.stanzas if box[:16] == kid], s.path
            if not boxes: return False
            shared = sodium("scalarmult", 32, secret, s.eph)
            wrap = b2("vs1.wrap", shared, s.eph + public + s.archive + s.stream, 32)
            file_key = unseal(wrap, bytes(12), s.header[16:72] + s.host_pk, boxes[0])
            for part in s.parts:
                need(part.header.endswith(b2("vs1.hdrmac", file_key, part.header[:-32], 32)), "mac")
                part.key = b2("vs1.payload", file_key, part.hh, 32)
        c = Cursor(self.record(self.seq, len(self.parts), self.root_offset, ROOT))
        (magic, self.id_key, _, list_key, *self.totals, self.body_len, self.head_len, _, _,
         left_out, changed, _, _, _, grade, level, kind) = c.unpack("8s32s32s32s6Q2Q2IqQ16s3B5x")
        tops = [c.unpack("B3xIQQ16s") for _ in range(2)]
        self.head_top, self.body_top = [(top[0], (top[2], top[1], top[3]), top[4]) for top in tops]
        need(magic == b"VSROOT1\0" and (kind, c.tlvs(c.uint(4)).get(1)) == (self.kind, self.volume)
             and not c.left(), "not a ROOT, or of another volume than the header")
        summary = unseal(b2("vs1.summary", list_key, self.hh, 32), bytes(12), b"", self.summary)
        m = Cursor(summary).unpack("qqBB2xII4x5Q184x")
        need((level, grade, left_out, changed, self.totals[0], self.totals[3]) == m[2:8], "summary")
        return True
    @functools.lru_cache(maxsize=24)
    def record(self, seq, part, offset, kind):
        parts = self.sources[seq].parts if seq in self.sources else []
        need(1 <= part <= len(parts), f"no part {part} of {seq} to refer to")
        record = parts[part - 1].record_at(offset)
        need(record and record[0] == kind, "no record of the wanted type")
        return self.parse(*record[:3])
    def parse(self, kind, rid, plain):  # checks the id; what a reader needs of the record
        c = Cursor(plain)
        if kind == ROOT:
            need(rid == b2("vs1.id.root", b"", plain, 32), "id of ROOT")
            return plain
        if kind == NODE:
            (stream, level), items, where = c.unpack("BB"), [], (0, 0, 0)
            need(rid == b2("vs1.id.node", self.id_key, plain, 32), "id of a node")
            for _ in range(c.varint()):
                where = tuple(value + c.varint(signed=True) for value in where)
                start = 0 if level else c.varint()
                sums = [c.varint() for _ in range(1 if stream == BODY else 3)]
                items.append((where, start, sums, c.take(16 if level else 8)))
            need(1 <= len(items) <= 8192 and level <= 15 and all(i[2][0] for i in items) and
                 (level or all(i[1] + i[2][0] <= 524288 for i in items)), "items")
            need(stream in (BODY, HEAD) and not c.left(), "stream of a node, or bytes after items")
            return rid[:16], stream, level, items
        sizes = [c.varint() for _ in range(c.varint())]
        need(1 <= len(sizes) <= 8192 and all(sizes) and sum(sizes) == c.left() <= 524288, "frame")
        label, chunks = ["vs1.id.body", "vs1.id.head"][kind - 1], [c.take(size) for size in sizes]
        ids = [b2(label, self.id_key, chunk, 32) for chunk in chunks]
        need(rid == b2("vs1.id.frame", self.id_key, bytes([kind]) + b"".join(ids), 32), "frame id")
        starts = {offset: i for i, offset in enumerate(itertools.accumulate([0] + sizes))}
        return chunks, [chunk_id[:16] for chunk_id in ids], starts
    def chunks(self, stream, level, where, node_id, sums):  # of an extent, and its entries, body
        if level == 255:
            return need(not any(where + (*node_id, *sums)), "a tree not as empty as ROOT says")
        *found, items = self.record(*where, NODE)
        need(found == [node_id, stream, level] and sums == [
            sum(column) for column in zip(*(item[2] for item in items))], "node or sums differ")
        for where, start, sums, tail in items:
            if level:
                yield from self.chunks(stream, level - 1, where, tail, sums)
                continue
            chunks, prints, starts = self.record(*where, stream)
            need({start, start + sums[0]} <= starts.keys(), "an extent that covers no whole chunks")
            chosen = slice(starts[start], starts[start + sums[0]])
            need(b2("vs1.check", self.id_key, b"".join(prints[chosen]), 16)[:8] == tail, "check")
            yield chunks[chosen], sums[1:]
    def tar(self, write):  # checks all that ROOT and the trees say of the snapshot
        rest, totals, head_sums = b"", [0] * 4, [self.head_len, self.totals[0], self.body_len]
        body = (c for found, _ in self.chunks(BODY, *self.body_top, [self.body_len]) for c in found)
        for groups, sums in self.chunks(HEAD, *self.head_top, head_sums):
            for c in map(Cursor, groups):
                while c.left():
                    header_len, left = c.varint(), c.varint()
                    header, out, pad = c.take(header_len), write if header_len else len, -left % 512
                    adds = tar_entry(header, left) if header else (0, 0, 0, 0)
                    totals = [a + b for a, b in zip(totals, adds)]
                    sums = [sums[0] - adds[0], sums[1] - left]
                    out(header)
                    while left:
                        rest = rest or memoryview(next(body, b""))
                        need(rest, "the body stream is too short")
                        out(rest[:left])
                        left, rest = left - len(rest[:left]), rest[left:]
                    out(bytes(pad))
            need(not any(sums), "entries or body of an extent")
        need(not rest and next(body, None) is None, "body that no entry uses")
        need(totals == self.totals, f"totals of ROOT: {self.totals} but found {totals}")
        write(bytes(1024))
    def check(self):  # all records in order, where they begin, the zeros that follow; the tar
        for part in self.parts:
            offset, firsts, root = 0, {}, None
            while record := part.record_at(offset):
                need(root is None, "a record after ROOT")
                self.parse(*record[:3])
                root = offset if record[0] == ROOT else None
                firsts.setdefault(offset // PAYLOAD, offset % PAYLOAD)
                offset = record[3]
            need(root == (self.root_offset if part is self else None), "place of ROOT")
            for i in range(part.n):
                first, plain = struct.pack("<H", firsts.get(i, 0xFFFF)), part.plain(i)
                need(plain[:2] == first, f"first of segment {i}")
                need(not any(plain[2 + max(0, offset - i * PAYLOAD):]), "bytes after the records")
        self.tar(len)
def tar_entry(header, body):  # what it adds to entries, regular files, directories and bytes
    pax, at = {}, 0
    if header[156:157] == b"x":
        records = header[512:512 + int(header[124:135], 8)]
        at = 512 + up(len(records), 512)
        while records:
            size = int(records.partition(b" ")[0])
            key, _, value = records[:size - 1].partition(b" ")[2].partition(b"=")
            need(size > 3 and records[size - 1:size] == b"\n", "a pax record is malformed")
            pax[key], records = value, records[size:]
    ustar = header[at:at + 512]
    kind, size = ustar[156:157], int(pax.get(b"size") or b"%d" % int(ustar[124:135], 8))
    need(len(header) <= 262144 and size == len(header) - at - 512 + body, "size in a tar header")
    return 1, kind == b"0", kind == b"5", int(pax.get(b"GNU.sparse.realsize", body))

class Store:  # the descriptor in force: authority, epoch, hash, labels of hosts; the snapshots
    def __init__(self, path, authority):
        self.authority, self.epoch, self.hash = authority, 0, bytes(32)
        self.hosts, self.finals = {}, {}
        marker = re.fullmatch(rb"volsnap store 1\n([0-9a-f]{32})\n", pread(f"{path}/volsnap-store"))
        need(marker, "not the marker of a store")
        self.id, path = bytes.fromhex(marker[1].decode()), glob.escape(path)
        for file in sorted(glob.glob(f"{path}/r/*.vsr")):
            with noting(file): self.read_descriptor(file)
        self.files = sorted(glob.glob(f"{path}/s/*/*/*.vs[af]"))
        for file in [file for file in self.files if file.endswith("f")]:
            with noting(file): self.finals.update({(s := Snapshot(self, file)).archive: s})
    def read_descriptor(self, path):  # passed over unless the authority signed it for this place
        try:
            Damaged.where, size = path, os.path.getsize(path)
            need(180 <= size <= 65536, "length")
            raw, place = pread(path), path.rpartition("/")[2].encode()
            digest = b2("vs1.repo", b"", raw[:-64], 32)
            check_signature(self.authority or raw[72:104], raw[-64:], b"vs1.repo" + digest)
            need(raw[:8] + raw[10:11] + raw[24:40] == b"VSREPO1\0\1" + self.id and
                 b"%08d.vsr" % Cursor(raw[16:20]).uint(4) == place, "of another store or name")
        except (Damaged, OSError) as error:
            return print(f"no descriptor, passed over: {error}", file=sys.stderr)
        c, hosts = Cursor(raw[:-64]), {}
        *magic, epoch, _, before, authority, count = c.unpack("8sHBxII4x16s32s32sH6x")
        need(magic[1:] == [1, 1, len(raw)] and authority == (self.authority or authority),
             "version, length or authority of a descriptor")
        for _ in range(count):
            role, scope, size, ed, x, host, label = c.unpack("BBB5x32s32s32s64s")
            zeros = (role in (2, 3)) * ed + (role == 1) * x + (scope == 0) * host + label[size:]
            need(1 <= role <= 4 and scope <= 1 and size <= 63 and not any(zeros), "bad grant")
            hosts[ed] = label[:size] if role == 1 else None
        c.tlvs(c.uint(4))
        linked, self.hash = before == self.hash and epoch == self.epoch + 1, digest
        self.authority, self.epoch, self.hosts = authority, epoch, hosts
        need(linked and not c.left(), "it does not go on from the one before it, or has bytes more")
def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for argument in ("store", "--key", "--authority", "-o"):
        parser.add_argument(argument, default="")
    parser.add_argument("command", choices=("list", "tar", "verify"))
    parser.add_argument("snapshot", nargs="?", default="")
    args = parser.parse_intermixed_args()
    key = read_key(args.key) if args.key or args.command != "verify" else ()
    store = Store(args.store, (key and key[2]) or bytes.fromhex(args.authority))
    chosen = sorted(store.finals.values(), key=lambda s: (s.name, s.stream, s.seq))
    if args.command == "tar":
        name, which = re.fullmatch(r"(.*?)(?:@(\w+))?", args.snapshot, re.S).groups()
        chosen = [s for s in chosen if name in (s.name, s.name[:-9]) and not s.flags & 2
                  and which in (None, str(s.seq), s.archive.hex())]
        need(len({s.stream for s in chosen}) == 1, f"no {args.snapshot}, or in several streams")
        need(which or not failed, "there is damage: which is the newest is not known, say @SEQ")
        failed.clear()
        chosen[-1].link(store.finals)
        need(chosen[-1].open(*key), "no stanza for this key")
        with open(args.o or sys.stdout.fileno(), "wb") as out:
            return chosen[-1].tar(out.write)
    for file in store.files if args.command == "verify" else ():
        with noting(file): Part(store, file).check_bytes()
    for s in chosen:
        with noting(s.path):
            s.link(store.finals)
            opened = key and s.open(*key)
            if args.command == "list" and opened and not s.flags & 2:
                print(s.name, s.seq, s.archive.hex(), s.totals[0], s.totals[3], s.body_len)
            elif args.command == "verify":
                if opened: s.check()
                if not failed & {part.path for part in s.parts}:
                    print("checkpoint" if s.flags & 2 else "ok", s.name, s.seq)
if __name__ == "__main__":
    with noting("reader.py"): main()
    sys.exit(5 if failed else 0)
