#!/usr/bin/env python3
"""An independent second reader of the archive format VS1, written from docs/format.md alone.

usage: reader.py STORE --key FILE list
       reader.py STORE --key FILE tar HOST/VOLUME[@SEQ] [-o FILE]
       reader.py STORE [--key FILE] verify

The key is the recovery key's paper text or a reader key file. The authority is what the recovery key
derives or --authority HEX says, else that of the newest descriptor with a good signature: trust on
first use, blind to a store exchanged as a whole. HOST/VOLUME are names of directories, VOLUME with or
without its .SSSSSSSS. Exit: 0 good, 2 usage, 5 damaged ("FILE: reason" on stderr)."""
import argparse, contextlib, ctypes, functools, glob, hashlib, itertools  # noqa: E401
import os, re, struct, subprocess, sys  # noqa: E401

SEGMENT, PAYLOAD = 16384, 16366
BODY, HEAD, NODE, ROOT = 1, 2, 3, 4
MAX_ULEN = {BODY: 589824, HEAD: 589824, NODE: 65536, ROOT: 65536}
PART_NAME = re.compile(  # HOST/VOLUME, stream, sequence number, archive, part number
    r".*/([^/]+/[^/]+)\.([0-9a-f]{8})/(\d{10,})-([0-9a-f]{32})(?:\.(\d{4,})\.vsa|\.vsf)", re.S)
libsodium = ctypes.CDLL("libsodium.so.23")

class Damaged(Exception):
    where = "store"  # the file last read from, which is the one to name

def need(condition, reason):
    if not condition:
        raise Damaged(f"{Damaged.where}: {reason}")
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
def pread(path, offset, n):
    Damaged.where = path
    with open(path, "rb") as file:
        data = os.pread(file.fileno(), n, offset)
    need(len(data) == n, "the file is too short")
    return data
def up(n, unit):
    return -(-n // unit) * unit
def padme(n):
    e = n.bit_length() - 1
    return up(n, 1 << max(e - e.bit_length(), 0))
def unzstd(data, ulen):  # exactly one frame, as section 7 wants it
    c, block = Cursor(data), 0
    magic, flags = c.unpack("IB")
    window, width = 0 if flags & 0x20 else c.uint(1), (flags >> 5 & 1, 2, 4, 8)[flags >> 6]
    need(magic == 0xFD2FB528 and flags & 0x0B == 0, "not a zstd frame without dictionary")
    need((8 + (window & 7)) << (window >> 3) + 7 <= 1 << 20, "zstd window over 1 MiB")
    need(width and c.uint(width) + 256 * (width == 2) == ulen, "zstd content size is not ulen")
    while not block & 1:
        block = c.uint(3)
        c.take(1 if block & 6 == 2 else block >> 3)
    tool = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False)
    need(c.left() == flags & 4 and len(tool.stdout) == ulen and not tool.returncode, "zstd data")
    return tool.stdout

class Cursor:
    """Takes fields from bytes, one after the other."""
    def __init__(self, data):
        self.data, self.pos = data, 0
    def left(self):
        return len(self.data) - self.pos
    def take(self, n):
        need(0 <= n <= self.left(), "a field goes over the end")
        self.pos += n
        return self.data[self.pos - n:self.pos]
    def uint(self, n):
        return int.from_bytes(self.take(n), "little")
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
        area = Cursor(self.take(size))
        while area.left():
            need(area.uint(2) < 0x8000, "unknown TLV that must be known")
            area.take(area.uint(2))

def read_key(path):  # role, X25519 secret, authority (of the recovery key alone)
    data, bits = pread(path, 0, min(os.path.getsize(path), 65536)), 0
    if data.startswith(b"VSKEY1\0\0"):
        _, role, secret, check = Cursor(data).unpack("8sB7x32s16s")
        need(role == 3 and check == b2("vs1.kc", secret, b"\3", 16), "not a good reader key")
        return role, secret, None
    lines, alphabet = data.decode("ascii").splitlines(), "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U"
    chars = re.sub(r"[\s-]", "", "".join(line for line in lines if line[:1] != "#")).upper()
    need(len(chars) == 64, "a paper key has 64 characters")
    for line in range(1, 7):
        *row, check = chars[11 * line - 11:11 * line]
        values = [alphabet.find({"O": "0", "I": "1", "L": "1"}.get(c, c), 0, 32) for c in row]
        total = 11 * line + sum(i * value for i, value in enumerate(values, 1))
        need(min(values) >= 0 and alphabet[total % 37] == check, f"line {line} is mistyped")
        bits = functools.reduce(lambda bits, value: bits << 5 | value, values, bits)
    raw, pad = (bits >> 2).to_bytes(36, "big"), bits & 3
    good = raw[0] == 1 and pad == 0 and raw[33:] == b2("vs1.paper", b"", raw[:33], 16)[:3]
    need(good, "version or checksum of the paper key")
    secret, seed = (b2(label, raw[1:33], b"", 32) for label in ("vs1.seed.x", "vs1.seed.ed"))
    return 2, secret, sodium("sign_seed_keypair", 32, ctypes.create_string_buffer(64), seed)

class Descriptor:
    def __init__(self, path):
        raw, self.hosts = pread(path, 0, min(os.path.getsize(path), 65537)), {}
        c = Cursor(raw)
        (*magic, self.epoch, self.store_id, self.before, self.authority,
         count) = c.unpack("8sHBxII4x16s32s32sH6x")
        need(magic == [b"VSREPO1\0", 1, 1, len(raw)] and len(raw) <= 65536, "not a descriptor")
        need(os.path.basename(path) == f"{self.epoch:08d}.vsr", "name and epoch disagree")
        for _ in range(count):
            role, scope, size, ed, x, host, label = c.unpack("BBB5x32s32s32s64s")
            zeros = (role in (2, 3)) * ed + (role == 1) * x + (scope == 0) * host + label[size:]
            need(1 <= role <= 4 and scope <= 1 and size <= 63 and not any(zeros), "bad grant")
            self.hosts.update({ed: label[:size]} if role == 1 else {})
        c.tlvs(c.uint(4))
        self.hash = b2("vs1.repo", b"", raw[:c.pos], 32)
        check_signature(self.authority, c.take(c.left()), b"vs1.repo" + self.hash)

class Part:
    """One file of an archive, read by a valid copy of its trailer and of its header."""
    def __init__(self, store, path):
        Damaged.where, self.path, self.size = path, path, os.path.getsize(path)
        name, failure = PART_NAME.fullmatch(path), Damaged(f"{path}: no trailer to be found")
        need(name and self.size >= 32768, "not the name or the size of a part")
        for gap in range(0, self.size // 2, 4096):
            t_size, mark = struct.unpack("<I4s", pread(path, self.size - gap - 8, 8))
            if mark == b"VEND" and gap in (0, t_size) and 2 * t_size <= self.size:
                try:
                    self.parse_trailer(pread(path, self.size - gap - t_size, t_size))
                    self.parse_header(self.find_header())
                    signed = b"vs1.trailer" + store.id + self.hash
                    check_signature(self.host_pk, self.signature, signed)
                    break
                except Damaged as error:
                    failure = error
        else:
            raise failure
        self.name, stream, seq, archive, number = name.groups()
        need(self.store_id == store.id, "of another store")
        need(store.descriptor.hosts.get(self.host_pk) == self.host, "foreign: no host grant fits")
        need(1 <= self.epoch <= store.descriptor.epoch, "names a descriptor that is not there")
        need((self.stream[:4].hex(), self.seq, self.archive.hex(), int(number or self.number))
             == (stream, int(seq), archive, self.number), "name and header disagree")
        need(self.flags & 1 == (number is None), "FINAL does not fit the name")
        need(number or self.number == len(self.hashes) + 1, "not the number of parts it says")
    def parse_trailer(self, raw):
        c, self.trailer = Cursor(raw), raw
        magic, length, self.flags, self.n, again, self.hh = c.unpack("8sIIII32s")
        need(magic == b"VSTRAIL1" and self.flags < 4 and self.n == again, "not a trailer")
        need(self.n and padme(self.n) == self.n, "the number of segments is not padded")
        self.slots = c.take(16 * self.n)
        if self.flags & 1:
            self.hashes = [c.take(32) for _ in range(c.uint(4) - 1)]
            self.parent = c.unpack("16sQ32s")
            self.root_offset, count = c.unpack("QH")
            self.dependencies = [c.unpack("Q16s32sQ") for _ in range(count)]
            self.summary = c.take(272)
            c.tlvs(c.uint(4))
            self.inner, self.chain = b2("vs1.chain", b"", raw[:c.pos], 32), c.take(32)
        self.hash, self.signature = b2("vs1.trailer", b"", raw[:c.pos], 32), c.take(64)
        footer = self.hash + struct.pack("<I", len(raw)) + b"VEND"
        need(c.pos == length and len(raw) == up(length + 40, 4096), "length of the trailer")
        need(raw[length:] == footer.rjust(len(raw) - length, b"\0"), "trailer hash, pad or footer")
    def find_header(self):
        twice = self.size - 2 * len(self.trailer) - SEGMENT * self.n
        need(8192 <= twice <= 131072 and twice % 8192 == 0, "the length of the file does not fit")
        self.end = self.size - 2 * len(self.trailer) - twice // 2
        copies = [pread(self.path, start, twice // 2) for start in (0, self.end)]
        good = [raw for raw in copies if b2("vs1.hdrhash", b"", raw, 32) == self.hh]
        need(good, "both copies of the header are damaged")
        return good[0]
    def parse_header(self, raw):
        c, self.header = Cursor(raw), raw
        (*magic, self.store_id, self.stream, self.archive, self.seq, self.number, log2, suite,
         self.kind, self.epoch, stanzas, self.host_pk, _, self.eph, nonce, host_len, volume_len,
         tlv_len) = c.unpack("8sHHI16s16s16sQIBBBxIH2x32sq32s16sHHI")
        need(magic == [b"\x89VSNA\r\n\x1a", 1, 0, len(raw)], "magic, version, flags or length")
        need((log2, suite) == (14, 1) and 1 <= self.kind <= 3, "segment size, suite or kind")
        need(self.seq and self.number and 1 <= stanzas <= 64, "sequence, part or count of stanzas")
        self.stanzas = [c.take(64) for _ in range(stanzas)]
        self.host, volume = c.take(host_len), c.take(volume_len)
        need(1 <= host_len <= 63 and 1 <= volume_len <= 4095 and 0 not in self.host + volume, "label")
        self.shared = raw[16:72] + raw[78:79] + raw[88:120] + raw[128:180] + raw[184:c.pos]
        c.tlvs(tlv_len)
        need(not any(c.take(c.left() - 32)), "pad of the header")
        stream = self.host_pk + bytes([self.kind]) + nonce + volume
        need(b2("vs1.stream", b"", stream, 16) == self.stream, "stream id does not fit")
    def check_bytes(self):  # every byte, for which no key is needed
        need(pread(self.path, 0, len(self.header)) == self.header, "first header is damaged")
        tail = pread(self.path, self.end, self.size - self.end)
        need(tail == self.header + self.trailer * 2, "second header or a trailer is damaged")
        for i in range(self.n):
            self.segment(i)
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
        if offset + 48 > self.n * PAYLOAD or self.read(offset, 1) == b"\0":
            return None
        kind, codec, clen, ulen, rid = Cursor(self.read(offset, 48)).unpack("BB2xII4x32s")
        need(kind in MAX_ULEN and codec <= 1, "unknown type or codec of a record")
        need(clen <= ulen <= MAX_ULEN[kind] and (codec or clen == ulen), "lengths of a record")
        data = self.read(offset + 48, clen)
        return kind, rid, unzstd(data, ulen) if codec else data, offset + 48 + clen

class Snapshot(Part):
    """The last part of an archive, and with it the others and the archives it depends on."""
    def __init__(self, store, path):
        super().__init__(store, path)
        self.parts, self.sources = [], {self.seq: self}
        for i, digest in enumerate(self.hashes, 1):
            self.parts.append(Part(store, f"{path[:-4]}.{i:04d}.vsa"))
            need(self.parts[-1].hash == digest, "not the part that the last one names")
            need(self.parts[-1].shared == self.shared, "header is not like the last part's")
        self.parts.append(self)
    def link(self, finals):  # finds dependencies, and the parent if it still is; checks the chain
        Damaged.where, (parent, *named) = self.path, self.parent
        links = [(seq, archive, digest) for seq, archive, digest, _ in self.dependencies]
        need(links == sorted(dict((link[0], link) for link in links).values()), "dependency order")
        for seq, archive, digest in links + [(named[0], parent, named[1])] * (parent in finals):
            other = finals.get(archive)
            need(other and (other.seq, other.stream, other.hash) == (seq, self.stream, digest)
                 and seq < self.seq, f"{seq}, a dependency or the parent, is missing or another")
            self.sources.update({seq: other} if (seq, archive, digest) in links else {})
        chain = finals[parent].chain if parent in finals else bytes(32)
        need(parent not in finals and any(parent) or self.chain == b2(
            "vs1.chain", b"", chain + self.inner, 32), "the chain does not fit")
    def unlock(self, role, secret):
        public, Damaged.where = sodium("scalarmult_base", 32, secret), self.path
        kid = bytes([role]) + b2("vs1.kid", b"", public, 15)
        for box in [stanza[16:] for stanza in self.stanzas if stanza[:16] == kid][:1]:
            shared = sodium("scalarmult", 32, secret, self.eph)
            wrap = b2("vs1.wrap", shared, self.eph + public + self.archive + self.stream, 32)
            file_key = unseal(wrap, bytes(12), self.header[16:72] + self.host_pk, box)
            for part in self.parts:
                mac = b2("vs1.hdrmac", file_key, part.header[:-32], 32)
                need(mac == part.header[-32:], f"header mac of part {part.number}")
                part.key = b2("vs1.payload", file_key, part.hh, 32)
            return True
        return False
    def open(self, role, secret):  # reads ROOT; False if an archive has no stanza for the key
        if not all([source.unlock(role, secret) for source in self.sources.values()]):
            return False
        c = Cursor(self.record(self.seq, len(self.parts), self.root_offset, ROOT))
        (magic, self.id_key, _, list_key, *self.totals, self.body_len, self.head_len, _, _,
         left_out, changed, _, _, _, grade, level, kind, self.head_top, self.body_top
         ) = c.unpack("8s32s32s32s6Q2Q2IqQ16s3B5x40s40s")
        c.tlvs(c.uint(4))
        need(magic == b"VSROOT1\0" and not c.left() and kind == self.kind, "not a ROOT")
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
    def parse(self, kind, rid, plain):
        """Checks the id. Of a node: its 16 id bytes, stream, level, items; of ROOT: the plaintext;
        of a frame: its chunks, their fingerprints and the index of the chunk at an offset."""
        c = Cursor(plain)
        if kind == ROOT:
            need(rid == b2("vs1.id.root", b"", plain, 32), "id of ROOT")
            return plain
        if kind == NODE:
            (stream, level), items, where = c.unpack("BB"), [], (0, 0, 0)
            need(rid == b2("vs1.id.node", self.id_key, plain, 32), "id of a node")
            for _ in range(c.varint()):
                where = tuple(value + c.varint(signed=True) for value in where)
                start, sums = 0 if level else c.varint(), [
                    c.varint() for _ in range(1 if stream == BODY else 3)]
                items.append((where, start, sums, c.take(16 if level else 8)))
            need(1 <= len(items) <= 8192 and not c.left(), "count of items, or bytes after them")
            need(stream in (BODY, HEAD) and level <= 15 and all(i[2][0] for i in items), "bad node")
            return rid[:16], stream, level, items
        sizes = [c.varint() for _ in range(c.varint())]
        need(1 <= len(sizes) <= 8192 and all(sizes), "count or length of chunks")
        need(sum(sizes) == c.left() <= 524288, "length of a frame")
        label, chunks = ["vs1.id.body", "vs1.id.head"][kind - 1], [c.take(size) for size in sizes]
        ids = [b2(label, self.id_key, chunk, 32) for chunk in chunks]
        need(rid == b2("vs1.id.frame", self.id_key, bytes([kind]) + b"".join(ids), 32), "frame id")
        starts = {offset: i for i, offset in enumerate(itertools.accumulate([0] + sizes))}
        return chunks, [chunk_id[:16] for chunk_id in ids], starts
    def chunks(self, stream, level, where, node_id, sums):
        """The chunks of a stream from left to right, as lists, each with its entries and body."""
        *found, items = self.record(*where, NODE)
        need(found == [node_id, stream, level], "not the node that was referred to")
        need([sum(column) for column in zip(*(i[2] for i in items))] == sums, "sums of a node")
        for where, start, sums, tail in items:
            if level:
                yield from self.chunks(stream, level - 1, where, tail, sums)
                continue
            chunks, prints, starts = self.record(*where, stream)
            need({start, start + sums[0]} <= starts.keys(), "an extent that covers no whole chunks")
            chosen = slice(starts[start], starts[start + sums[0]])
            check = b2("vs1.check", self.id_key, b"".join(prints[chosen]), 16)[:8]
            need(check == tail, "check of an extent")
            yield chunks[chosen], sums[1:]
    def stream_chunks(self, stream, top, sums):
        level, part, seq, offset, node_id = Cursor(top).unpack("B3xIQQ16s")
        if level == 255:
            need(not any(top[1:]) and not any(sums), "a stream that is not as empty as ROOT says")
            return iter(())
        return self.chunks(stream, level, (seq, part, offset), node_id, sums)
    def tar(self, write):  # checks all that ROOT and the trees say of the snapshot
        rest, totals, head_sums = b"", [0] * 4, [self.head_len, self.totals[0], self.body_len]
        body = itertools.chain.from_iterable(
            found[0] for found in self.stream_chunks(BODY, self.body_top, [self.body_len]))
        for groups, sums in self.stream_chunks(HEAD, self.head_top, head_sums):
            for c in map(Cursor, groups):
                while c.left():
                    header_len, left = c.varint(), c.varint()
                    header, out, pad = c.take(header_len), write if header_len else len, -left % 512
                    sums = [sums[0] - (header_len > 0), sums[1] - left]
                    adds = tar_entry(header, left) if header else (0, 0, 0, 0)
                    totals = [a + b for a, b in zip(totals, adds)]
                    out(header)
                    while left:
                        rest = rest or memoryview(next(body, b""))
                        need(rest, "the body stream is too short")
                        out(rest[:left])
                        left, rest = left - len(rest[:left]), rest[left:]
                    out(bytes(pad))
            need(sums == [0, 0], "entries or body of an extent")
        need(not rest and next(body, None) is None, "body that no entry uses")
        need(totals == self.totals, f"totals of ROOT: {self.totals} but found {totals}")
        write(bytes(1024))
    def check_records(self):  # all records in order, where they begin and that zeros follow
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
    total = sum(ustar) - sum(ustar[148:156]) + 8 * 32
    need(len(ustar) == 512 and int(ustar[148:154], 8) == total, "checksum of a tar header")
    need(len(header) <= 262144 and size == len(header) - at - 512 + body, "size in a tar header")
    real = int(pax.get(b"GNU.sparse.realsize", body))
    return 1, kind == b"0", kind == b"5", real if kind == b"0" else 0

class Store:
    """The descriptor in force, the valid snapshots by archive id, the files that failed."""
    def __init__(self, path, authority):
        self.failed, self.finals, self.descriptor, hashes = set(), {}, None, {0: bytes(32)}
        marker = pread(f"{path}/volsnap-store", 0, 49)
        need(re.fullmatch(rb"volsnap store 1\n[0-9a-f]{32}\n", marker), "not the marker of a store")
        self.id, valid = bytes.fromhex(marker[16:48].decode()), []
        for file in sorted(glob.glob(f"{glob.escape(path)}/r/*.vsr")):
            with self.noting(file):
                valid.append((file, Descriptor(file)))
        for file, d in valid:
            with self.noting(file):
                need(d.authority == (authority or valid[-1][1].authority), "of another authority")
                need(d.store_id == self.id, "of another store")
                self.descriptor, hashes[d.epoch] = d, d.hash
                need(d.before == hashes.get(d.epoch - 1), "does not name the descriptor before")
        need(self.descriptor, "no valid descriptor")
        self.files = sorted(glob.glob(f"{glob.escape(path)}/s/*/*/*.vs[af]"))
        for file in [file for file in self.files if file.endswith(".vsf")]:
            with self.noting(file):
                snapshot = Snapshot(self, file)
                self.finals[snapshot.archive] = snapshot
    @contextlib.contextmanager
    def noting(self, file):  # reports damage, once for each file, and goes on
        Damaged.where = file
        try:
            yield
        except (Damaged, OSError, ValueError) as error:
            if file not in self.failed:
                report(error)
            self.failed.add(file)
    def choose(self, wanted):
        name, seq = re.fullmatch(r"(.*?)(?:@(\d+))?", wanted, re.S).groups()
        found = [s for s in self.finals.values() if not s.flags & 2 and int(seq or s.seq) == s.seq
                 and name in (s.name, f"{s.name}.{s.stream[:4].hex()}")]
        if len({s.stream for s in found}) != 1:
            sys.exit(print(f"{wanted}: none, or several streams", file=sys.stderr) or 2)
        newest = max(found, key=lambda s: s.seq)
        folders = {os.path.dirname(file) for file in self.failed}
        need(seq or os.path.dirname(newest.path) not in folders, "perhaps not the newest")
        return newest

def report(error):
    print(error if isinstance(error, Damaged) else f"{Damaged.where}: {error}", file=sys.stderr)

def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("store")
    parser.add_argument("command", choices=("list", "tar", "verify"))
    parser.add_argument("snapshot", nargs="?")
    for option in ("--key", "--authority", "-o"):
        parser.add_argument(option)
    args = parser.parse_intermixed_args()
    if (args.command == "tar") != bool(args.snapshot) or not (args.key or args.command == "verify"):
        parser.error("tar wants HOST/VOLUME, and list and tar want --key")
    role, secret, authority = read_key(args.key) if args.key else (0, None, None)
    store = Store(args.store, authority or bytes.fromhex(args.authority or ""))
    if args.command == "tar":
        snapshot = store.choose(args.snapshot)
        snapshot.link(store.finals)
        need(snapshot.open(role, secret), "no stanza for this key")
        with open(args.o or sys.stdout.fileno(), "wb") as out:
            return snapshot.tar(out.write)
    for file in store.files if args.command == "verify" else ():
        with store.noting(file):
            Part(store, file).check_bytes()
    for s in sorted(store.finals.values(), key=lambda s: (s.name, s.stream, s.seq)):
        with store.noting(s.path):
            s.link(store.finals)
            opened = args.key and s.open(role, secret)
            if args.command == "list" and opened and not s.flags & 2:
                print(s.name, s.seq, s.archive.hex(), s.totals[0], s.totals[3], s.body_len)
            if args.command == "verify" and opened:
                s.check_records()
                s.tar(len)
            if args.command == "verify" and not store.failed & {part.path for part in s.parts}:
                print("ok", s.name, s.seq)
    return 5 if store.failed else 0

if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Damaged, OSError, ValueError) as failure:
        report(failure)
        sys.exit(5)
