#!/usr/bin/env python3
"""What the second reader refuses, where no store that volsnap makes has it.

READER names another reader.py to try, for seeing these tests fail."""
import importlib.util
import os
import pathlib
import struct
import unittest

HERE = pathlib.Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("make", HERE / "vectors/make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
spec = importlib.util.spec_from_file_location("reader", os.environ.get("READER", HERE / "reader.py"))
reader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reader)

MAGIC, ABC = bytes.fromhex("28b52ffd"), bytes.fromhex("190000") + b"abc"


def tlv(kind, value):
    return struct.pack("<HH", kind, len(value)) + value


class Refusals(unittest.TestCase):
    def refused(self, word, call, *args):
        with self.assertRaisesRegex(reader.Damaged, word):
            call(*args)

    def test_zstd(self):
        """One frame of known size; no dictionary, checksum (also the right one) or large window."""
        def unzstd(head, tail=b"", size=3):
            return reader.unzstd(MAGIC + bytes.fromhex(head) + ABC + tail, size)
        self.assertEqual(unzstd("2003"), b"abc")
        self.assertEqual(unzstd("805003000000"), b"abc")
        self.refused("zstd", unzstd, "2003", b"", 4)
        self.refused("zstd", unzstd, "2004", b"", 4)
        self.refused("zstd", unzstd, "0048")
        self.refused("zstd", unzstd, "210003")
        self.refused("zstd", unzstd, "2403", bytes.fromhex("990977ad"))
        self.refused("zstd", unzstd, "2803")
        self.refused("window", unzstd, "805103000000")
        self.refused("window", unzstd, "80ff03000000")
        self.refused("frame", unzstd, "2003", MAGIC + b"\x20\x03" + ABC)
        self.refused("frame", unzstd, "2003", bytes.fromhex("502a4d1800000000"))

    def test_tlvs(self):
        """A type once, and none that must be known."""
        def tlvs(area):
            return reader.Cursor(area).tlvs(len(area))
        self.assertEqual(tlvs(tlv(5, b"a") + tlv(0x7fff, b"")), {5: b"a", 0x7fff: b""})
        self.refused("TLV", tlvs, tlv(5, b"a") + tlv(6, b"") + tlv(5, b"b"))
        self.refused("TLV", tlvs, tlv(0x8005, b"a"))
        self.refused("over the end", tlvs, tlv(5, b"a")[:-1])

    def test_extents(self):
        """No extent reaches beyond what a frame holds."""
        def parse(offset, length):
            plain = make.node(make.Case({"stream": 1, "level": 0, "items": [
                {"seq": 1, "part": 1, "record_offset": 0, "offset": offset, "length": length,
                 "check": "22" * 8}]}))
            s = object.__new__(reader.Snapshot)
            s.id_key = bytes(32)
            return s.parse(reader.NODE, reader.b2("vs1.id.node", s.id_key, plain, 32), plain)
        self.assertEqual(parse(0, 524288)[3][0][2], [524288])
        self.assertEqual(parse(524287, 1)[3][0][1], 524287)
        self.refused("items", parse, 1, 524288)
        self.refused("items", parse, 524288, 1)
        self.refused("items", parse, 0, 0)
        self.refused("items", parse, (1 << 64) - 1, 2)

    def test_root(self):
        """ROOT is of the volume, and of the kind, that the header names."""
        def root(tlvs, kind=1, volume=b"db"):
            s = object.__new__(reader.Snapshot)
            s.sources, s.parts, s.seq, s.root_offset, s.hh = {}, [], 1, 0, bytes(32)
            s.kind, s.volume, key = 1, volume, bytes(32)
            empty = struct.pack("<B39x", 255)
            plain = (struct.pack("<8s200x3B5x", b"VSROOT1\0", 1, 0, kind) + 2 * empty +
                     struct.pack("<I", len(tlvs)) + tlvs)
            s.record = lambda *_: plain
            summary = struct.pack("<17xB238x", 1)
            s.summary = make.seal(reader.b2("vs1.summary", key, s.hh, 32), bytes(12), b"", summary)
            return s.open(2, bytes(32), None)
        name = tlv(1, b"db")
        self.assertTrue(root(name))
        self.assertTrue(root(tlv(2, b"/") + name + tlv(9, b"?")))
        self.refused("volume", root, b"")
        self.refused("volume", root, tlv(2, b"/"))
        self.refused("volume", root, tlv(1, b""))
        self.refused("volume", root, tlv(1, b"db2"))
        self.refused("volume", root, tlv(1, b"DB"))
        self.refused("volume", root, name, 2)
        self.refused("TLV", root, name + name)


if __name__ == "__main__":
    unittest.main()
