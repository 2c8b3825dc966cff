import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.core.errors import IntegrityError
from medloop.images.encode import GZIP_LEVEL, decode_mask, decode_voxels, encode_mask, encode_voxels, encodings

DTYPES = st.sampled_from(["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"])
IMAGES = DTYPES.flatmap(
    lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=4, max_dims=4, max_side=5), elements={"allow_nan": False} if d == "float32" else None)
)


@given(IMAGES)
def test_voxels_come_back_exactly(array: np.ndarray) -> None:
    decoded = decode_voxels(encode_voxels(array), array.shape, array.dtype.name)
    assert decoded.dtype == array.dtype
    np.testing.assert_array_equal(decoded, array)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_masks_come_back_exactly(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_mask(encode_mask(mask), mask.shape), mask)


def test_the_first_axis_runs_fastest_and_channels_slowest() -> None:
    array = np.arange(2 * 2 * 3 * 4, dtype=">i2").reshape(2, 2, 3, 4)
    raw = np.frombuffer(gzip.decompress(encode_voxels(array)), "<i2")
    assert raw[0] == array[0, 0, 0, 0]
    assert raw[1] == array[0, 1, 0, 0]
    assert raw[2] == array[0, 0, 1, 0]
    assert raw[2 * 3] == array[0, 0, 0, 1]
    assert raw[2 * 3 * 4] == array[1, 0, 0, 0]


def test_flat_index_of_a_mask_is_i_plus_width_times_row_and_slice() -> None:
    mask = np.zeros((3, 4, 5), np.uint8)
    mask[2, 1, 3] = 7
    assert gzip.decompress(encode_mask(mask))[2 + 3 * (1 + 4 * 3)] == 7


def test_the_same_array_gives_the_same_bytes() -> None:
    array = np.ones((1, 4, 4, 4), np.int16)
    assert encode_voxels(array) == encode_voxels(np.asfortranarray(array))


@pytest.mark.parametrize("size", [26, 28, 1_000_000])
def test_bytes_of_another_length_are_refused(size: int) -> None:
    with pytest.raises(IntegrityError, match="27 bytes"):
        decode_mask(gzip.compress(bytes(size)), (3, 3, 3))


@pytest.mark.parametrize("damage", [b"", b"text", b"\x1f\x8b\x08"])
def test_damaged_bytes_are_refused(damage: bytes) -> None:
    with pytest.raises(IntegrityError):
        decode_mask(damage, (3, 3, 3))


def test_a_wrong_checksum_is_refused() -> None:
    data = bytearray(encode_mask(np.ones((3, 3, 3), np.uint8)))
    data[-6] ^= 0xFF
    with pytest.raises(IntegrityError):
        decode_mask(bytes(data), (3, 3, 3))


def test_truncated_bytes_are_refused() -> None:
    with pytest.raises(IntegrityError):
        decode_mask(encode_mask(np.ones((3, 3, 3), np.uint8))[:-3], (3, 3, 3))


@given(IMAGES)
def test_what_zlib_packed_is_read_and_known_as_the_same_image(array: np.ndarray) -> None:
    older = gzip.compress(array.astype(array.dtype.newbyteorder("<")).tobytes(order="F"), GZIP_LEVEL, mtime=0)
    if array.shape[0] == 1:  # then the order of a file is the array's own
        assert older in encodings(array)
        np.testing.assert_array_equal(decode_voxels(older, array.shape, array.dtype.name), array)
    assert next(iter(encodings(array))) == encode_voxels(array)
