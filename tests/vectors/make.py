#!/usr/bin/env python3
"""The vectors v1/primitives.json, computed from their inputs by the second reader's primitives.

    make.py             says which values differ from what docs/format.md gives; exit 1 if any
    make.py --write     puts them right

Inputs are the fields of a case that its function below reads; it returns the others.  volsnap's
own code has no part in it.  tests/unit/test_vectors.c holds volsnap to the same file."""
import importlib.util
import json
import pathlib
import struct
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FILE = HERE / "v1/primitives.json"
spec = importlib.util.spec_from_file_location("reader", HERE.parent / "reader.py")
reader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reader)
b2, Damaged = reader.b2, reader.Damaged


class Case:
    """Fields of a case: bytes where they are hex."""

    def __init__(self, fields):
        self.fields = fields

    def __getattr__(self, name):
        value = self.fields[name]
        return bytes.fromhex(value) if isinstance(value, str) else value

    def text(self, name):
        return self.fields[name]


def need(condition, why):
    if not condition:
        raise Damaged(why)


# ---- primitives that a reader has no use for ----

def seal(key, nonce, ad, plain):
    return reader.sodium("aead_chacha20poly1305_ietf_encrypt", len(plain) + 16, None, plain,
                         len(plain), ad, len(ad), None, nonce, key)


def sign_keys(seed):
    secret = reader.ctypes.create_string_buffer(64)
    return reader.sodium("sign_seed_keypair", 32, secret, seed), secret.raw


def sign(seed, msg):
    return reader.sodium("sign_detached", 64, None, msg, len(msg), sign_keys(seed)[1])


def x_public(secret):
    return reader.sodium("scalarmult_base", 32, secret)


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def zigzag(value):
    return varint((value << 1) ^ (value >> 63))


def pad(raw, room, mark=b""):
    return raw + bytes(room - len(raw) - len(mark)) + mark


# ---- numbers and keys ----

def make_varint(case):
    raw = varint(int(case.text("value")))
    need(reader.Cursor(raw).varint() == int(case.text("value")), "varint")
    return {"hex": raw}


def make_varint_bad(case):
    try:
        reader.Cursor(case.hex).varint()
    except Damaged:
        return {}
    raise Damaged("a varint that should not be one")


def make_zigzag(case):
    raw = zigzag(int(case.text("value")))
    need(reader.Cursor(raw).varint(signed=True) == int(case.text("value")), "zigzag")
    return {"hex": raw}


def make_b2(case):
    return {"hex": b2(case.text("label"), case.key, case.msg, case.n)}


def make_aead(case):
    box = seal(case.key, case.nonce, case.ad, case.msg)
    need(reader.unseal(case.key, case.nonce, case.ad, box) == case.msg, "aead")
    return {"hex": box}


def make_paper(case):
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U"
    raw = b"\1" + case.S
    bits = int.from_bytes(raw + b2("vs1.paper", b"", raw, 16)[:3], "big") << 2
    groups, lines = [bits >> 5 * i & 31 for i in reversed(range(58))], []
    for line in range(1, 7):
        row = groups[10 * line - 10:10 * line]
        total = 11 * line + sum(i * value for i, value in enumerate(row, 1))
        lines.append("".join(alphabet[value] for value in row + [total % 37]))
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("\n".join(lines))
        file.flush()
        need(reader.read_key(file.name)[1] == b2("vs1.seed.x", case.S, b"", 32), "paper")
    return {"lines": lines}


def make_key_file(case):
    role = bytes([case.role])
    return {"hex": b"VSKEY1\0\0" + role + bytes(7) + case.secret +
            b2("vs1.kc", case.secret, role, 16)}


def make_name(case):
    plain = "abcdefghijklmnopqrstuvwxyz0123456789_-"
    escaped = "".join(chr(c) if chr(c) in plain or c == 46 and i else f"%{c:02x}"
                      for i, c in enumerate(case.label))
    if len(escaped) > 200:
        escaped = escaped[:183] + "~" + b2("vs1.name", b"", case.label, 16)[:8].hex()
    return {"component": escaped}


def make_stream_id(case):
    msg = case.host_pk + bytes([case.kind]) + case.nonce + case.volume
    return {"hex": b2("vs1.stream", b"", msg, 16)}


def make_stream_keys(case):
    return {f"{name}_key": b2(f"vs1.key.{name}", case.H, case.stream_id, 32)
            for name in ("id", "gear", "list")}


def make_padme(case):
    return {"padded": reader.padme(case.n)}


def make_recovery(case):
    secret, seed = (b2(label, case.S, b"", 32) for label in ("vs1.seed.x", "vs1.seed.ed"))
    return {"recipient_sk": secret, "recipient_pk": x_public(secret),
            "authority_seed": seed, "authority_pk": sign_keys(seed)[0]}


def make_prune(case):
    return {"x_pk": x_public(b2("vs1.prune.x", case.P, b"", 32)),
            "ed_pk": sign_keys(b2("vs1.prune.ed", case.P, b"", 32))[0]}


# ---- parts ----

def make_file_key(case):
    msg = case.H + case.stream_id + struct.pack("<Q", case.seq) + case.archive_id
    return {"hex": b2("vs1.fkey", case.random, msg, 32)}


def make_stanza(case):
    label = "vs1.wrap.list" if case.role == 4 else "vs1.wrap"
    public, eph = x_public(case.recipient_sk), x_public(case.eph_sk)
    shared = reader.sodium("scalarmult", 32, case.eph_sk, public)
    wrap = b2(label, shared, eph + public + case.archive_id + case.stream_id, 32)
    ad = (case.store_id + case.stream_id + case.archive_id + struct.pack("<Q", case.seq) +
          case.host_pk)
    return {"recipient_pk": public, "eph_pk": eph,
            "hex": bytes([case.role]) + b2("vs1.kid", b"", public, 15) +
            seal(wrap, bytes(12), ad, case.m)}


def make_header(case):
    host_pk = sign_keys(case.host_seed)[0]
    stanzas = b"".join(bytes.fromhex(stanza) for stanza in case.stanzas)
    raw = struct.pack("<8sHHI16s16s16sQIBBBxIHxx32sq32s16sHHI", b"\x89VSNA\r\n\x1a", 1, 0, case.H,
                      case.store_id, case.stream_id, case.archive_id, case.seq, case.part, 14, 1,
                      case.kind, case.epoch, len(case.stanzas), host_pk, case.created,
                      case.eph_pk, case.nonce, len(case.host), len(case.volume), len(case.tlvs))
    raw = pad(raw + stanzas + case.host + case.volume + case.tlvs, case.H - 32)
    mac = b2("vs1.hdrmac", case.fk, raw, 32)
    hh = b2("vs1.hdrhash", b"", raw + mac, 32)
    list_key = bytes.fromhex(next(c["m"] for c in vectors["stanza"] if c["role"] == 4))
    return {"host_pk": host_pk, "hex": raw + mac, "mac": mac, "hh": hh,
            "payload_key": b2("vs1.payload", case.fk, hh, 32),
            "summary_key": b2("vs1.summary", list_key, hh, 32)}


def make_summary(case):
    plain = struct.pack("<qqBB2xII4x5Q184x", case.time, case.day, case.level, case.grade,
                        case.unreadable, case.changed_entries, case.entries, case.bytes,
                        case.new_bytes, case.reemitted, int(case.text("changed_bytes")))
    return {"hex": seal(b2("vs1.summary", case.list_key, case.hh, 32), bytes(12), b"", plain)}


def make_chain(case):
    inner = b2("vs1.chain", b"", case.trailer_bytes, 32)
    return {"chain": b2("vs1.chain", b"", case.parent_chain + inner, 32)}


def make_trailer_signature(case):
    digest = b2("vs1.trailer", b"", case.trailer_bytes, 32)
    return {"hash": digest, "signature": sign(case.H, b"vs1.trailer" + case.store_id + digest)}


def make_trailer(case):
    out, chain = {}, b""
    slots = b"".join(bytes.fromhex(slot) for slot in case.slots)
    more = 0
    if case.final:
        parts = b"".join(bytes.fromhex(part) for part in case.parts)
        links = b"".join(struct.pack("<Q16s32sQ", link.seq, link.archive_id, link.trailer_hash,
                                     link.live) for link in map(Case, case.dependencies))
        parent = Case(case.parent)
        rest = (struct.pack("<I", len(case.parts) + 1) + parts +
                struct.pack("<16sQ32sQH", parent.archive_id, parent.seq, parent.trailer_hash,
                            case.root_offset, len(case.dependencies)) + links +
                case.summary + struct.pack("<I", len(case.tlvs)) + case.tlvs)
        more = len(rest) + 32
    length = 56 + len(slots) + more + 64
    raw = struct.pack("<8sIIII32s", b"VSTRAIL1", length, case.final + 2 * case.partial,
                      len(case.slots), len(case.slots), case.hh) + slots
    if case.final:
        raw += rest
        chain = b2("vs1.chain", b"", case.parent_chain + b2("vs1.chain", b"", raw, 32), 32)
        raw, out["chain"] = raw + chain, chain
    digest = b2("vs1.trailer", b"", raw, 32)
    size = reader.up(length + 40, 4096)
    raw += sign(case.host_seed, b"vs1.trailer" + case.store_id + digest)
    return {**out, "hash": digest, "T": size,
            "hex": pad(raw, size, digest + struct.pack("<I", size) + b"VEND")}


# ---- the descriptor ----

def make_descriptor_signature(case):
    digest = b2("vs1.repo", b"", case.descriptor_bytes, 32)
    return {"hash": digest, "signature": sign(case.authority_seed, b"vs1.repo" + digest)}


def make_descriptor(case):
    grants = b"".join(
        struct.pack("<BBB5x32s32s32s64s", grant.role, grant.scope, len(grant.label),
                    grant.sign_pk, grant.seal_pk, grant.host, grant.label)
        for grant in map(Case, case.grants))
    raw = struct.pack("<8sHBxII4x16s32s32sH6x", b"VSREPO1\0", 1, 1, 112 + len(grants) + 4 + 64,
                      case.epoch, case.store_id, case.previous,
                      sign_keys(case.authority_seed)[0], len(case.grants))
    raw += grants + struct.pack("<I", 0)
    digest = b2("vs1.repo", b"", raw, 32)
    return {"hash": digest, "hex": raw + sign(case.authority_seed, b"vs1.repo" + digest)}


# ---- records ----

def snapshot(id_key):
    """Enough of one to parse records."""
    s = object.__new__(reader.Snapshot)
    s.id_key = id_key
    return s


def make_frame(case):
    chunks = [bytes.fromhex(chunk) for chunk in case.chunks]
    label = {1: "vs1.id.body", 2: "vs1.id.head"}[case.type]
    ids = [b2(label, case.id_key, chunk, 32) for chunk in chunks]
    plain = (varint(len(chunks)) + b"".join(varint(len(chunk)) for chunk in chunks) +
             b"".join(chunks))
    frame_id = b2("vs1.id.frame", case.id_key, bytes([case.type]) + b"".join(ids), 32)
    need(snapshot(case.id_key).parse(case.type, frame_id, plain)[0] == chunks, "frame")
    checks = []
    for check in case.extent_checks:
        first, count = check["first"], check["count"]
        prints = b"".join(chunk_id[:16] for chunk_id in ids[first:first + count])
        checks.append({"first": first, "count": count,
                       "offset": sum(map(len, chunks[:first])),
                       "length": sum(map(len, chunks[first:first + count])),
                       "check": b2("vs1.check", case.id_key, prints, 16)[:8].hex()})
    return {"plaintext": plain, "chunk_ids": [chunk_id.hex() for chunk_id in ids],
            "frame_id": frame_id, "extent_checks": checks}


def node(case):
    plain, where = bytes([case.stream, case.level]) + varint(len(case.items)), (0, 0, 0)
    for item in map(Case, case.items):
        here = item.seq, item.part, item.record_offset
        plain += b"".join(zigzag(a - b) for a, b in zip(here, where))
        plain += b"" if case.level else varint(item.offset)
        sums = [item.length] + ([item.entries, item.body] if case.stream == 2 else [])
        plain += b"".join(map(varint, sums)) + (item.node_id if case.level else item.check)
        where = here
    return plain


def make_node(case):
    plain = node(case)
    node_id = b2("vs1.id.node", case.id_key, plain, 32)
    items = snapshot(case.id_key).parse(reader.NODE, node_id, plain)[3]
    need([item[0][0] for item in items] == [item["seq"] for item in case.items], "node")
    return {"plaintext": plain, "id": node_id}


def make_root(case):
    tops = [struct.pack("<B3xIQQ16s", top.level, top.part, top.seq, top.record_offset,
                        top.node_id) for top in (Case(case.head), Case(case.body))]
    tlvs = b"".join(struct.pack("<HH", kind, len(value)) + value
                    for kind, value in ((1, case.volume), (2, case.source)) if value)
    plain = struct.pack("<8s32s32s32s8QIIqQ16s3B5x", b"VSROOT1\0", case.id_key, case.gear_key,
                        case.list_key, case.entries, case.files, case.dirs, case.bytes,
                        case.body_len, case.head_len, case.vanished, case.skipped,
                        case.unreadable, case.changed, case.begun, case.begun_boot, case.boot_id,
                        case.grade, case.level, case.kind)
    plain = plain + b"".join(tops) + struct.pack("<I", len(tlvs)) + tlvs
    root_id = b2("vs1.id.root", b"", plain, 32)
    need(snapshot(b"").parse(reader.ROOT, root_id, plain) == plain, "root")
    return {"plaintext": plain, "id": root_id}


def main():
    write, bad = sys.argv[1:] == ["--write"], 0
    groups = [name for name in vectors if name not in ("format", "about")]
    for name in groups:
        for i, fields in enumerate(vectors[name]):
            made = globals()[f"make_{name}"](Case(fields))
            for key, value in made.items():
                value = value.hex() if isinstance(value, bytes) else value
                if fields.get(key) != value:
                    print(f"{name} {i}: {key} differs")
                    fields[key], bad = value, bad + 1
    if write:
        FILE.write_text(json.dumps(vectors, indent=0, separators=(",", ":")) + "\n")
    print(f"{len(groups)} groups, {sum(len(vectors[name]) for name in groups)} cases, "
          f"{bad} values differ")
    return 1 if bad and not write else 0


vectors = json.loads(FILE.read_text())
if __name__ == "__main__":
    sys.exit(main())
