"""Checksums at the end of packed bytes: right ones pass, wrong, missing and too much behind them do not."""

import gzip
import io
import zlib

import pytest

from lesionflow.io.images.packing import checksums
from lesionflow.io.images.packing.checksums import ISAL_FAULT, drain, inflate, verify_png, verify_strips

CONTENT = bytes(range(256)) * 40
FAULTS = (ValueError, ISAL_FAULT)


def flipped(packed: bytes, at: int) -> bytes:
    harmed = bytearray(packed)
    harmed[at] ^= 1
    return bytes(harmed)


class TestInflate:
    @pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
    def test_it_gives_what_was_packed(self, pack):
        assert inflate(pack(CONTENT), len(CONTENT)) == CONTENT

    def test_members_one_after_another_are_one_file(self):
        assert inflate(gzip.compress(CONTENT[:999]) + gzip.compress(CONTENT[999:]), len(CONTENT)) == CONTENT

    # The last byte of gzip's length, of its CRC, of zlib's Adler-32.
    @pytest.mark.parametrize(("pack", "at"), [(gzip.compress, -1), (gzip.compress, -5), (zlib.compress, -1)])
    def test_a_wrong_checksum_is_seen(self, pack, at):
        with pytest.raises(FAULTS):
            inflate(flipped(pack(CONTENT), at), len(CONTENT))

    @pytest.mark.parametrize("n_lost", [1, 8, 9])
    def test_a_checksum_cut_off_is_seen(self, n_lost):
        with pytest.raises(FAULTS):
            inflate(gzip.compress(CONTENT)[:-n_lost], len(CONTENT))

    def test_less_than_declared_is_seen(self):
        with pytest.raises(ValueError, match="10240 bytes where 10241"):
            inflate(zlib.compress(CONTENT), len(CONTENT) + 1)

    def test_far_more_than_declared_is_not_unpacked(self, monkeypatch):
        monkeypatch.setattr(checksums, "MAX_TRAILING_BYTES", 100)
        with pytest.raises(ValueError, match="more"):
            inflate(gzip.compress(bytes(1 << 20)), 10)


class TestDrain:
    def test_it_reads_up_to_the_checksum(self):
        with gzip.open(io.BytesIO(gzip.compress(CONTENT))) as source:
            source.read(len(CONTENT))
            drain(source)
        with gzip.open(io.BytesIO(flipped(gzip.compress(CONTENT), -5))) as source:
            source.read(len(CONTENT))
            with pytest.raises(gzip.BadGzipFile):
                drain(source)

    def test_padding_may_follow_and_no_more(self, monkeypatch):
        monkeypatch.setattr(checksums, "MAX_TRAILING_BYTES", 1000)
        drain(io.BytesIO(bytes(1000)))
        drain(io.BytesIO(bytes(1500)), 500)
        with pytest.raises(ValueError, match="behind the voxels"):
            drain(io.BytesIO(bytes(1001)))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    packed = (len(c).to_bytes(4, "big") + kind + c + zlib.crc32(kind + c).to_bytes(4, "big") for kind, c in chunks)
    return checksums.PNG_MAGIC + b"".join(packed)


class TestPng:
    PACKED = zlib.compress(CONTENT)
    WHOLE = png((b"IHDR", bytes(13)), (b"IDAT", PACKED[:50]), (b"IDAT", PACKED[50:]), (b"IEND", b""))

    def test_a_whole_one_passes_whatever_follows_it(self):
        verify_png(self.WHOLE + b"anything", len(CONTENT))

    @pytest.mark.parametrize("at", [16, 30, 60, 100, -1])
    def test_a_flipped_bit_anywhere_is_seen(self, at):
        with pytest.raises(FAULTS):
            verify_png(flipped(self.WHOLE, at), len(CONTENT))

    def test_pixels_that_were_harmed_before_they_got_their_crc_are_seen(self):
        harmed = png((b"IHDR", bytes(13)), (b"IDAT", flipped(self.PACKED, -1)), (b"IEND", b""))
        with pytest.raises(FAULTS):
            verify_png(harmed, len(CONTENT))

    def test_one_without_an_end_is_cut_off(self):
        with pytest.raises(ValueError, match="ends before"):
            verify_png(self.WHOLE[:-12], len(CONTENT))

    def test_more_pixels_than_declared_are_not_unpacked(self):
        with pytest.raises(ValueError, match="more packed bytes"):
            verify_png(self.WHOLE, len(CONTENT) - 1)


def test_each_strip_of_a_tiff_has_its_own_checksum():
    one, other = zlib.compress(CONTENT[:99]), zlib.compress(CONTENT[99:])
    places = [(3, len(one)), (3 + len(one), len(other))]
    verify_strips(io.BytesIO(b"II*" + one + other), places, len(CONTENT))
    with pytest.raises(FAULTS):
        verify_strips(io.BytesIO(b"II*" + one + flipped(other, -1)), places, len(CONTENT))
