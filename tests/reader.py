#!/usr/bin/env python3
"""An independent second reader of the archive format VS1, written from docs/format.md alone.

    reader.py STORE --key FILE list
    reader.py STORE --key FILE tar HOST/VOLUME[@SEQ] [-o FILE]
    reader.py STORE [--key FILE] verify

The key is the recovery key's paper text or a reader key file. The authority is what the recovery
key derives or --authority HEX says; else that of the newest descriptor with a good signature: trust
on first use, blind to a store exchanged as a whole. HOST/VOLUME are names of directories, VOLUME
with or without its .SSSSSSSS. Exit: 0 good, 2 usage, 5 damaged ("FILE: reason" on stderr).
"""
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
def sodium(name, size, *args):
    """What a function of libsodium writes into size bytes; damaged if it fails."""
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
        file.seek(offset)
        data = file.read(n)
    need(len(data) == n, "the file is too short")
    return data
def padme(n):
    e = n.bit_length() - 1
    unit = 1 << max(e - e.bit_length(), 0)
    return -(-n // unit) * unit
def unzstd(data, ulen):
    """The content of what must be exactly one zstd frame, as section 7 wants it."""
    c, block = Cursor(data), 0
    magic, flags = c.unpack("IB")
    window, width = 0 if flags & 0x20 else c.uint(1), (flags & 0x20 and 1, 2, 4, 8)[flags >> 6]
    need(magic == 0xFD2FB528 and flags & 0x0B == 0, "not a zstd frame without dictionary")
    need((8 + (window & 7)) << (window >> 3) + 7 <= 1 << 20, "zstd window over 1 MiB")
    need(width and c.uint(width) + 256 * (width == 2) == ulen, "zstd content size is not ulen")
    while not block & 1:
        block = c.uint(3)
        c.take(1 if block & 6 == 2 else block >> 3)
    need(c.left() == (flags & 4), "bytes after the zstd frame")
    tool = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False)
    need(tool.returncode == 0 and len(tool.stdout) == ulen, "zstd data is corrupt")
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
    def unpack(self, layout):
        """Fields as in struct; bytes skipped with x must be zero."""
        raw = self.take(struct.calcsize("<" + layout))
        values = struct.unpack("<" + layout, raw)
        need(struct.pack("<" + layout, *values) == raw, "a pad that must be zero is not")
        return values
    def varint(self, signed=False):
        value, shift, byte = 0, 0, 128
        while byte & 128:
            byte = self.uint(1)
            value |= (byte & 127) << shift
            shift += 7
        need(value < 1 << 64 and shift <= 70 and (byte or shift == 7), "bad varint")
        return (value >> 1) ^ -(value & 1) if signed else value
    def tlvs(self, size):
        area = Cursor(self.take(size))
        while area.left():
            need(area.uint(2) < 0x8000, "unknown TLV that must be known")
            area.take(area.uint(2))

class Key:
    """A recovery key (role 2) or a reader key (role 3)."""
    def __init__(self, path):
        data = pread(path, 0, min(os.path.getsize(path), 65536))
        self.role, self.authority = 3, None
        if data.startswith(b"VSKEY1\0\0"):
            _, role, self.secret, check = Cursor(data).unpack("8sB7x32s16s")
            need(role == 3 and len(data) == 64, "not a reader key")
            need(check == b2("vs1.kc", self.secret, b"\3", 16), "the key file is damaged")
        else:
            s, self.role = self.from_paper(data.decode("ascii", "replace")), 2
            self.secret, seed = (b2(f"vs1.seed.{i}", s, b"", 32) for i in ("x", "ed"))
            self.authority = sodium("sign_seed_keypair", 32, ctypes.create_string_buffer(64), seed)
        self.public = sodium("scalarmult_base", 32, self.secret)
    @staticmethod
    def from_paper(text):
        alphabet, bits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U", 0
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        chars = re.sub(r"[\s-]", "", "".join(lines)).upper()
        need(len(chars) == 64, "a paper key has 64 characters")
        for line in range(1, 7):
            *row, check = chars[11 * line - 11:11 * line]
            values = [alphabet.find({"O": "0", "I": "1", "L": "1"}.get(c, c), 0, 32) for c in row]
            total = 11 * line + sum(i * value for i, value in enumerate(values, 1))
            need(min(values) >= 0 and alphabet[total % 37] == check, f"line {line} is mistyped")
            bits = functools.reduce(lambda bits, value: bits << 5 | value, values, bits)
        raw, pad = (bits >> 2).to_bytes(36, "big"), bits & 3
        need(raw[0] == 1 and not pad and raw[33:] == b2("vs1.paper", b"", raw[:33], 16)[:3], "paper")
        return raw[1:33]

class Descriptor:
    def __init__(self, path):
        raw = pread(path, 0, os.path.getsize(path))
        c, self.hosts = Cursor(raw), {}
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
        check_signature(self.authority, c.take(64), b"vs1.repo" + self.hash)
        need(not c.left(), "bytes after the signature")

class Header:
    def __init__(self, raw):
        c, self.raw = Cursor(raw), raw
        (*magic, self.store_id, self.stream, self.archive, self.seq, self.part, log2, suite, self.kind,
         self.epoch, stanzas, self.host_pk, _, self.eph, nonce, host_len, volume_len, tlv_len
         ) = c.unpack("8sHHI16s16s16sQIBBBxIH2x32sq32s16sHHI")
        need(magic == [b"\x89VSNA\r\n\x1a", 1, 0, len(raw)], "magic, version, flags or length")
        need((log2, suite) == (14, 1) and 1 <= self.kind <= 3, "segment size, suite or kind")
        need(1 <= stanzas <= 64 and 1 <= host_len <= 63 and 1 <= volume_len <= 4095, "header counts")
        self.stanzas = [c.take(64) for _ in range(stanzas)]
        self.host, volume = c.take(host_len), c.take(volume_len)
        self.shared = raw[16:72] + raw[78:79] + raw[88:120] + raw[128:180] + raw[184:c.pos]
        c.tlvs(tlv_len)
        need(not any(c.take(c.left() - 32)) and 0 not in self.host + volume, "pad or NUL in a label")
        stream = self.host_pk + bytes([self.kind]) + nonce + volume
        need(b2("vs1.stream", b"", stream, 16) == self.stream, "stream id does not fit")

class Trailer:
    def __init__(self, raw):
        c, self.raw = Cursor(raw), raw
        magic, length, self.flags, self.n, again, self.hh = c.unpack("8sIIII32s")
        need(magic == b"VSTRAIL1" and self.flags < 4 and self.n == again, "not a trailer")
        need(self.n and padme(self.n) == self.n, "the number of segments is not padded")
        self.slots = c.take(16 * self.n)
        if self.flags & 1:
            self.hashes = [c.take(32) for _ in range(c.uint(4) - 1)]
            archive, seq, digest = c.unpack("16sQ32s")
            self.root_offset, count = c.unpack("QH")
            self.links = [c.unpack("Q16s32sQ")[:3] for _ in range(count)] + [(seq, archive, digest)]
            self.summary = c.take(272)
            c.tlvs(c.uint(4))
            self.inner, self.chain = b2("vs1.chain", b"", raw[:c.pos], 32), c.take(32)
        self.hash, self.signature = b2("vs1.trailer", b"", raw[:c.pos], 32), c.take(64)
        need(c.pos == length and len(raw) == -(-(length + 40) // 4096) * 4096, "trailer length")
        footer = self.hash + struct.pack("<I", len(raw)) + b"VEND"
        need(raw[length:] == footer.rjust(len(raw) - length, b"\0"), "trailer hash, pad or footer")

class Part:
    """One file of an archive, read by a valid copy of its trailer and of its header."""
    def __init__(self, store, path):
        Damaged.where, self.path, self.size = path, path, os.path.getsize(path)
        self.name, failure = PART_NAME.fullmatch(path), Damaged(f"{path}: no trailer to be found")
        need(self.name and self.size >= 32768, "not the name or the size of a part")
        for gap in range(0, self.size // 2, 4096):
            t_size, mark = struct.unpack("<I4s", pread(path, self.size - gap - 8, 8))
            if mark == b"VEND" and gap in (0, t_size) and 2 * t_size <= self.size:
                try:
                    self.find_ends(store, t_size, self.size - gap - t_size)
                    break
                except Damaged as error:
                    failure = error
        else:
            raise failure
        h, t, (_, stream, seq, archive, number) = self.header, self.trailer, self.name.groups()
        need(h.store_id == store.id, "of another store")
        need(store.descriptor.hosts.get(h.host_pk) == h.host, "foreign: no host grant fits")
        need(1 <= h.epoch <= store.descriptor.epoch, "names a descriptor that is not there")
        need((h.stream[:4].hex(), h.seq, h.archive.hex()) == (stream, int(seq) or None, archive)
             and int(number or h.part) == h.part, "name and header disagree")
        need(t.flags & 1 == (number is None), "FINAL does not fit the name")
        need(number or h.part == len(t.hashes) + 1, "not as many parts as the last one says")
    def find_ends(self, store, t_size, start):
        self.trailer = t = Trailer(pread(self.path, start, t_size))
        twice = self.size - 2 * t_size - SEGMENT * t.n
        need(8192 <= twice <= 131072 and twice % 8192 == 0, "the length of the file does not fit")
        self.h_size, self.end = twice // 2, self.size - 2 * t_size - twice // 2
        copies = [pread(self.path, start, self.h_size) for start in (0, self.end)]
        good = [raw for raw in copies if b2("vs1.hdrhash", b"", raw, 32) == t.hh]
        need(good, "both copies of the header are damaged")
        self.header = Header(good[0])
        check_signature(self.header.host_pk, t.signature, b"vs1.trailer" + store.id + t.hash)
    def check_bytes(self):
        """Checks every byte, for which no key is needed."""
        need(pread(self.path, 0, self.h_size) == self.header.raw, "the first header is damaged")
        tail = pread(self.path, self.end, self.size - self.end)
        need(tail.startswith(self.header.raw), "the second header is damaged")
        need(tail[self.h_size:] == self.trailer.raw * 2, "a copy of the trailer is damaged")
        for i in range(self.trailer.n):
            self.segment(i)
    def segment(self, i):
        raw = pread(self.path, self.h_size + i * SEGMENT, SEGMENT)
        slot = b2("vs1.slot", b"", struct.pack("<Q", i) + raw, 16)
        need(slot == self.trailer.slots[16 * i:16 * i + 16], f"segment {i} is damaged")
        return raw
    @functools.lru_cache(maxsize=64)
    def plain(self, i):
        return unseal(self.key, struct.pack("<QI", i, i == self.trailer.n - 1), b"", self.segment(i))
    def read(self, offset, n):
        need(offset + n <= self.trailer.n * PAYLOAD, "a record goes over the end of the part")
        first, skip = divmod(offset, PAYLOAD)
        segments = range(first, -(-(offset + n) // PAYLOAD))
        return b"".join(self.plain(i)[2:] for i in segments)[skip:skip + n]
    def record(self, offset):
        """(type, id, plaintext, end) of the record at offset; None where the records end."""
        Damaged.where = self.path
        if offset + 48 > self.trailer.n * PAYLOAD or self.read(offset, 1) == b"\0":
            return None
        kind, codec, clen, ulen, rid = Cursor(self.read(offset, 48)).unpack("BB2xII4x32s")
        need(kind in MAX_ULEN and codec <= 1, "unknown type or codec of a record")
        need(clen <= ulen <= MAX_ULEN[kind] and (codec or clen == ulen), "lengths of a record")
        data = self.read(offset + 48, clen)
        return kind, rid, unzstd(data, ulen) if codec else data, offset + 48 + clen

class Snapshot:
    """An archive with all its parts, and once linked, its dependencies by sequence number."""
    def __init__(self, store, final):
        self.final, self.header, self.seq, t = final, final.header, final.header.seq, final.trailer
        self.parts, self.sources = [], {self.seq: self}
        for i, digest in enumerate(t.hashes, 1):
            self.parts.append(Part(store, f"{final.path[:-4]}.{i:04d}.vsa"))
            need(self.parts[-1].trailer.hash == digest, "not the part that the last one names")
            need(self.parts[-1].header.shared == self.header.shared, "not the last part's header")
        self.parts.append(final)
    def link(self, store):
        """Finds the dependencies and, if it is there, the parent; checks the chain."""
        t, Damaged.where = self.final.trailer, self.final.path
        for i, (seq, archive, digest) in enumerate(t.links):
            other, is_parent = store.finals.get(archive), i == len(t.links) - 1
            need(other or is_parent, f"dependency {seq} is missing or damaged")
            need(i == 0 or is_parent or t.links[i - 1][0] < seq, "order of dependencies")
            need(not other or (other.header.seq, other.header.stream, other.trailer.hash) ==
                 (seq, self.header.stream, digest) and seq < self.seq, "a link does not fit")
            if not is_parent:
                self.sources[seq] = Snapshot(store, other)
        before = other.trailer.chain if other else bytes(32)
        if other or not (seq or any(archive + digest)):
            need(t.chain == b2("vs1.chain", b"", before + t.inner, 32), "the chain does not fit")
    def unlock(self, key):
        h, kid = self.header, bytes([key.role]) + b2("vs1.kid", b"", key.public, 15)
        box = next((stanza[16:] for stanza in h.stanzas if stanza[:16] == kid), None)
        if not box:
            return False
        secret, Damaged.where = sodium("scalarmult", 32, key.secret, h.eph), self.final.path
        wrap = b2("vs1.wrap", secret, h.eph + key.public + h.archive + h.stream, 32)
        file_key = unseal(wrap, bytes(12), h.raw[16:72] + h.host_pk, box)
        for part in self.parts:
            raw, Damaged.where = part.header.raw, part.path
            need(b2("vs1.hdrmac", file_key, raw[:-32], 32) == raw[-32:], "header mac is wrong")
            part.key = b2("vs1.payload", file_key, part.trailer.hh, 32)
        return True
    def open(self, key):
        """Reads ROOT; False if the key has no stanza in one of the archives."""
        if not all([source.unlock(key) for source in self.sources.values()]):
            return False
        t = self.final.trailer
        c = Cursor(self.record(self.seq, len(self.parts), t.root_offset, ROOT))
        (magic, self.id_key, _, list_key, *self.totals, self.body_len, self.head_len, _, _, left_out,
         changed, _, _, _, grade, level, kind, self.head_top, self.body_top
         ) = c.unpack("8s32s32s32s6Q2Q2IqQ16s3B5x40s40s")
        c.tlvs(c.uint(4))
        need(magic == b"VSROOT1\0" and not c.left() and kind == self.header.kind, "not a ROOT")
        summary = unseal(b2("vs1.summary", list_key, t.hh, 32), bytes(12), b"", t.summary)
        m = Cursor(summary).unpack("qqBB2xII4x5Q184x")
        need((level, grade, left_out, changed, self.totals[0], self.totals[3]) == m[2:8], "summary")
        return True
    @functools.lru_cache(maxsize=24)
    def record(self, seq, part, offset, kind):
        parts = self.sources[seq].parts if seq in self.sources else []
        need(1 <= part <= len(parts), f"no part {part} of sequence number {seq} to refer to")
        record = parts[part - 1].record(offset)
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
                where = tuple(value + c.varint(True) for value in where)
                start = 0 if level else c.varint()
                sums = [c.varint() for _ in range(1 if stream == BODY else 3)]
                items.append((where, start, sums, c.take(16 if level else 8)))
            need(1 <= len(items) <= 8192 and not c.left(), "count of items or size of a node")
            need(stream in (1, 2) and level <= 15 and all(item[2][0] for item in items), "bad node")
            return rid[:16], stream, level, items
        sizes = [c.varint() for _ in range(c.varint())]
        need(1 <= len(sizes) <= 8192 and min(sizes) and sum(sizes) == c.left() <= 524288, "bad frame")
        chunks, label = [c.take(size) for size in sizes], ("vs1.id.body", "vs1.id.head")[kind - 1]
        ids = [b2(label, self.id_key, chunk, 32) for chunk in chunks]
        need(rid == b2("vs1.id.frame", self.id_key, bytes([kind]) + b"".join(ids), 32), "frame id")
        starts = {offset: i for i, offset in enumerate(itertools.accumulate([0] + sizes))}
        return chunks, [chunk_id[:16] for chunk_id in ids], starts
    def chunks(self, stream, level, where, node_id, sums):
        """The chunks of a stream from left to right, as lists, each with its entries and body."""
        *found, items = self.record(*where, NODE)
        need(found == [node_id, stream, level], "not the node that was referred to")
        need([sum(column) for column in zip(*(item[2] for item in items))] == sums, "sums of a node")
        for where, start, sums, tail in items:
            if level:
                yield from self.chunks(stream, level - 1, where, tail, sums)
                continue
            chunks, prints, starts = self.record(*where, stream)
            first, last = starts.get(start), starts.get(start + sums[0])
            need(first is not None and last is not None, "an extent that covers no whole chunks")
            check = b2("vs1.check", self.id_key, b"".join(prints[first:last]), 16)[:8]
            need(check == tail, "check of an extent")
            yield chunks[first:last], sums[1:]
    def stream(self, stream, top, sums):
        level, part, seq, offset, node_id = Cursor(top).unpack("B3xIQQ16s")
        if level < 255:
            return self.chunks(stream, level, (seq, part, offset), node_id, sums)
        need(not any(top[1:]) and not any(sums), "a stream that is not as empty as ROOT says")
        return iter(())
    def tar(self, write):
        """Writes the tar of the snapshot; checks all that ROOT and the trees say of it."""
        rest, totals = b"", [0, 0, 0, 0]
        body = (chunk for chunks, _ in self.stream(BODY, self.body_top, [self.body_len])
                for chunk in chunks)
        head_sums = [self.head_len, self.totals[0], self.body_len]
        for groups, sums in self.stream(HEAD, self.head_top, head_sums):
            found = [0, 0]
            for c in map(Cursor, groups):
                while c.left():
                    header_len, body_len = c.varint(), c.varint()
                    header, out, left = c.take(header_len), write if header_len else len, body_len
                    found = [found[0] + (header_len > 0), found[1] + body_len]
                    if header:
                        totals = [a + b for a, b in zip(totals, tar_entry(header, body_len))]
                    out(header)
                    while left:
                        rest = rest or memoryview(next(body, b""))
                        need(rest, "the body stream is too short")
                        out(rest[:left])
                        left, rest = left - len(rest[:left]), rest[left:]
                    out(bytes(-body_len % 512))
            need(found == sums, "entries or body of an extent")
        need(not rest and next(body, None) is None, "body that no entry uses")
        need(totals == self.totals, f"totals of ROOT: {self.totals} but found {totals}")
        write(bytes(1024))
    def check_records(self):
        """Checks all records of the parts in order, where they begin and that zeros follow."""
        for part in self.parts:
            offset, firsts, root = 0, {}, None
            while record := part.record(offset):
                need(root is None, "a record after ROOT")
                root = offset if record[0] == ROOT else None
                self.parse(*record[:3])
                firsts.setdefault(offset // PAYLOAD, offset % PAYLOAD)
                offset = record[3]
            need(root == (part.trailer.root_offset if part is self.final else None), "place of ROOT")
            for i in range(part.trailer.n):
                plain = part.plain(i)
                need(plain[:2] == struct.pack("<H", firsts.get(i, 0xFFFF)), f"first of segment {i}")
                need(not any(plain[2 + max(0, offset - i * PAYLOAD):]), "bytes after the records")

def tar_entry(header, body):
    """What an entry adds to the number of entries, regular files, directories and bytes."""
    pax, at = {}, 0
    if header[156:157] == b"x":
        records = header[512:512 + int(header[124:135], 8)]
        at = 512 + (len(records) + 511) // 512 * 512
        while records:
            size = int(records.partition(b" ")[0])
            key, _, value = records[:size - 1].partition(b" ")[2].partition(b"=")
            need(size > 3 and records[size - 1:size] == b"\n", "a pax record is malformed")
            pax[key], records = value, records[size:]
    ustar = header[at:at + 512]
    kind, size = ustar[156:157], int(pax.get(b"size", ustar[124:135]), 10 if b"size" in pax else 8)
    total = sum(ustar) - sum(ustar[148:156]) + 8 * 32
    need(len(ustar) == 512 and int(ustar[148:154], 8) == total, "checksum of a tar header")
    need(len(header) <= 262144 and size == len(header) - at - 512 + body, "size in a tar header")
    regular = kind == b"0"
    return 1, regular, kind == b"5", int(pax.get(b"GNU.sparse.realsize", body)) if regular else 0

class Store:
    """The descriptor in force, the valid final parts by archive id, the files that failed."""
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
        for file in (file for file in self.files if file.endswith(".vsf")):
            with self.noting(file):
                final = Part(self, file)
                self.finals[final.header.archive] = final
    @contextlib.contextmanager
    def noting(self, file):
        """Reports damage, once for each file, and goes on."""
        Damaged.where = file
        try:
            yield
        except (Damaged, OSError, ValueError) as error:
            if file not in self.failed:
                print(error if isinstance(error, Damaged) else f"{Damaged.where}: {error}",
                      file=sys.stderr)
            self.failed.add(file)

def choose(store, wanted, parser):
    name, _, seq = wanted.rpartition("@") if re.search(r"@\d+$", wanted) else (wanted, "", None)
    found = [final for final in store.finals.values() if not final.trailer.flags & 2 and name in (
        final.name[1], f"{final.name[1]}.{final.name[2]}") and int(seq or final.header.seq)
        == final.header.seq]
    if len({final.header.stream for final in found}) != 1:
        parser.error("no such snapshot, or several streams have this name")
    newest = max(found, key=lambda final: final.header.seq)
    Damaged.where, folder = newest.path, os.path.dirname(newest.path)
    need(seq or folder not in map(os.path.dirname, store.failed), "a newer one may be damaged")
    return newest

def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("store")
    parser.add_argument("command", choices=("list", "tar", "verify"))
    parser.add_argument("snapshot", nargs="?")
    for option in ("--key", "--authority", "-o"):
        parser.add_argument(option)
    args = parser.parse_intermixed_args()
    if (args.command == "tar") != bool(args.snapshot) or not (args.key or args.command == "verify"):
        parser.error("tar wants HOST/VOLUME, list and tar want --key")
    key = Key(args.key) if args.key else None
    store = Store(args.store, (key and key.authority) or bytes.fromhex(args.authority or ""))
    if args.command == "tar":
        snapshot = Snapshot(store, choose(store, args.snapshot, parser))
        snapshot.link(store)
        need(snapshot.open(key), "no stanza for this key")
        with open(args.o or sys.stdout.fileno(), "wb") as out:
            snapshot.tar(out.write)
        return 0
    for file in store.files if args.command == "verify" else ():
        with store.noting(file):
            Part(store, file).check_bytes()
    for final in sorted(store.finals.values(), key=lambda part: (part.name[1], part.header.seq)):
        with store.noting(final.path):
            snapshot, h = Snapshot(store, final), final.header
            snapshot.link(store)
            opened = key and snapshot.open(key)
            if args.command == "verify":
                if opened:
                    snapshot.check_records()
                    snapshot.tar(len)
                if not store.failed.intersection(part.path for part in snapshot.parts):
                    print(f"ok {final.name[1]} {h.seq}")
            elif opened and not final.trailer.flags & 2:
                print(final.name[1], h.seq, h.archive.hex(), *snapshot.totals[::3], snapshot.body_len)
    return 5 if store.failed else 0

if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Damaged, OSError, ValueError) as failure:
        sys.exit(print(failure if isinstance(failure, Damaged) else f"{Damaged.where}: {failure}", file=sys.stderr) or 5)
