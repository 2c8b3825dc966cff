import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from nnInteractive.inference.remote import serialization as reference

from medloop.core.errors import FormatError
from medloop.interaction.nninteractive.wire import DTYPES, pack_array, read_header, unpack_array

LIMIT = 1 << 20
ANY_ARRAY = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda name: arrays.arrays(np.dtype(name), arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)
GOOD = pack_array(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
BODY_AT = 8 + len("int16") + 3 * 8


def changed(at: int, raw: bytes) -> bytes:
    return GOOD[:at] + raw + GOOD[at + len(raw) :]


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def test_the_header_is_the_one_of_the_specification():
    packed = pack_array(np.zeros((2, 3), dtype=np.uint8))
    assert packed[: 8 + 5] == b"NNIA" + bytes([1, 1, 2, 5]) + b"uint8"
    assert struct.unpack_from("<2qI", packed, 13) == (2, 3, 1)
    assert struct.unpack_from("<QQ", packed, 33) == (6, len(packed) - 49)


@given(ANY_ARRAY, st.booleans())
def test_what_is_packed_comes_back(array: np.ndarray, shuffle: bool):
    assert same(unpack_array(pack_array(array, shuffle=shuffle), limit_bytes=LIMIT), array)


@settings(max_examples=40)
@given(ANY_ARRAY)
def test_the_other_implementation_reads_what_is_packed_here(array: np.ndarray):
    packed = pack_array(array)
    if array.size:
        assert same(reference.unpack_array(packed), array)


@settings(max_examples=40)
@given(ANY_ARRAY.filter(lambda a: a.size > 0 and a.ndim > 0))
def test_what_the_other_implementation_packs_is_read_here(array: np.ndarray):
    assert same(unpack_array(reference.pack_array(array), limit_bytes=LIMIT), array)


def test_lz4_and_several_chunks_are_read(monkeypatch: pytest.MonkeyPatch):
    import blosc2

    monkeypatch.setattr(reference, "_CHUNK_SIZE", 16)
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    assert same(unpack_array(reference.pack_array(array, codec=blosc2.Codec.LZ4), limit_bytes=48), array)


def test_big_endian_and_strided_arrays_are_packed_as_values():
    array = np.arange(12, dtype=">i4").reshape(3, 4).T
    assert np.array_equal(unpack_array(pack_array(array), limit_bytes=48), array)


def test_bytes_that_are_neither_true_nor_false_become_true():
    odd = pack_array(np.array([0, 1, 2], dtype=np.uint8)).replace(bytes([5]) + b"uint8", bytes([4]) + b"bool", 1)
    assert unpack_array(odd, limit_bytes=3).tolist() == [False, True, True]


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = pack_array(np.zeros((64, 64, 64), dtype=np.float64))
    assert len(bomb) < 200
    with pytest.raises(FormatError, match="may unpack to 1000 bytes here, this one to 2097152"):
        unpack_array(bomb, limit_bytes=1000)


@pytest.mark.parametrize(
    ("packed", "rule"),
    [
        (b"", "header of 8 bytes"),
        (GOOD[:20], "ends after its header"),
        (changed(0, b"NNIB"), "begins with"),
        (changed(4, b"\x02"), "version 1"),
        (changed(5, b"\x09"), "codecs"),
        (changed(6, b"\xff"), "at most 8 axes"),
        (changed(8, b"int99"), "plain numbers"),
        (changed(13, struct.pack("<q", -2)), "axes of at least 0"),
        (changed(13, struct.pack("<q", 1 << 60)), "may unpack to"),
        (changed(13, struct.pack("<q", 3)), "chunks for all|at most|missing"),
        (changed(BODY_AT, struct.pack("<I", 0)), "missing"),
        (changed(BODY_AT, struct.pack("<I", 2)), "ends early"),
        (changed(BODY_AT, struct.pack("<I", 0xFFFFFFFF)), "ends early"),
        (changed(BODY_AT + 4, struct.pack("<Q", 1 << 63)), "next chunk"),
        (changed(BODY_AT + 4, struct.pack("<Q", 0)), "next chunk"),
        (changed(BODY_AT + 12, struct.pack("<Q", 1 << 63)), "of a chunk next"),
        (changed(BODY_AT + 12, struct.pack("<Q", 8)), "at least 32 bytes"),
        (GOOD[:-1], "of a chunk next"),
        (GOOD + b"x", "bytes more"),
        (changed(BODY_AT + 20 + 4, struct.pack("<i", 999)), "Blosc2 header says 999"),
        (changed(BODY_AT + 20 + 31, b"\x08"), "refers to a file"),
    ],
)
def test_damaged_bytes_are_refused_with_their_rule(packed: bytes, rule: str):
    with pytest.raises(FormatError, match=rule):
        unpack_array(packed, limit_bytes=LIMIT)


def test_objects_are_never_read_from_foreign_bytes():
    with pytest.raises(FormatError, match="plain numbers"):
        read_header(GOOD.replace(b"\x05int16", b"\x06object", 1))
    with pytest.raises(FormatError, match="plain numbers"):
        pack_array(np.array([None]))


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes):
    for packed in (noise, b"NNIA\x01\x01" + noise):
        try:
            unpack_array(packed, limit_bytes=LIMIT)
        except FormatError:
            continue
        assert read_header(packed).nbytes == 0


@given(st.data())
def test_a_changed_byte_gives_an_array_of_the_promised_size_or_a_refusal(data: st.DataObject):
    packed = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        array = unpack_array(packed, limit_bytes=LIMIT)
    except FormatError:
        return
    assert array.nbytes == read_header(packed).nbytes <= LIMIT
