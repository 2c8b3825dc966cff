"""Every mode × byte order × purpose of a picture: the values that were written, or a refusal. tifffile and imageio write and check."""

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import PIL.Image
import pytest
import tifffile

from medloop.core.errors import FormatError
from medloop.core.geometry import Grid
from medloop.images.raster import read_raster
from medloop.images.read import read_mask

RNG = np.random.default_rng(7)
LABELS = RNG.integers(0, 4, (9, 11)).astype(np.uint8)
COLOUR = RNG.integers(0, 255, (9, 11, 3), dtype=np.uint8)


def grey(path: Path) -> np.ndarray:
    return read_raster(path).image.array[0, :, :, 0].T


def labels(path: Path) -> np.ndarray:
    return read_raster(path, "mask").image.array[0, :, :, 0].T


def outcome(path: Path, purpose: Any) -> np.ndarray | str:
    """Values, or the refusal's words."""
    try:
        return grey(path) if purpose == "image" else labels(path)
    except FormatError as error:
        return str(error)


GREYS: dict[str, Any] = {
    "uint8": np.uint8,
    "int8": np.int8,
    "uint16": np.uint16,
    "int16": np.int16,
    "uint32": np.uint32,
    "int32": np.int32,
    "float32": np.float32,
}


def spread_over(dtype: Any) -> np.ndarray:
    """Values over the whole range of a dtype, the ends included."""
    if np.dtype(dtype).kind == "f":
        return RNG.normal(0, 1e6, (9, 11)).astype(dtype)
    info = np.iinfo(dtype)
    array = RNG.integers(info.min, info.max, (9, 11), dtype=np.int64, endpoint=True).astype(dtype)
    array[0, :2] = info.min, info.max
    return array


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", ["plain", "tiled", "zlib", "bigtiff", "imagej", "ome"])
@pytest.mark.parametrize("name", GREYS)
def test_a_grey_tiff_is_read_value_for_value_or_refused_by_its_kind(tmp_path: Path, name: str, layout: str, order: str) -> None:
    wanted, path = spread_over(GREYS[name]), tmp_path / "x.tif"
    options: dict[str, Any] = {
        "plain": {},
        "tiled": {"tile": (16, 16)},
        "zlib": {"compression": "zlib"},
        "bigtiff": {"bigtiff": True},
        "imagej": {"imagej": True},
        "ome": {"ome": True},
    }[layout]
    if layout == "imagej" and name not in ("uint8", "uint16", "float32"):
        options = {}
    tifffile.imwrite(path, wanted, byteorder=order, photometric="minisblack", **options)
    np.testing.assert_array_equal(tifffile.imread(path), wanted)
    if order == ">" and (name == "uint32" or layout == "bigtiff"):
        with pytest.raises(FormatError, match=r"32-bit unsigned|a BigTIFF is little-endian"):
            grey(path)
        return
    read = grey(path)
    np.testing.assert_array_equal(read, wanted)
    assert read.dtype == wanted.dtype


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_deflate", "tiff_adobe_deflate", "raw"])
@pytest.mark.parametrize("name", ["uint8", "uint16", "float32"])
def test_a_compressed_grey_tiff_is_read_value_for_value(tmp_path: Path, name: str, compression: str) -> None:
    wanted = spread_over(GREYS[name])
    PIL.Image.fromarray(wanted).save(tmp_path / "x.tif", compression=compression)
    np.testing.assert_array_equal(grey(tmp_path / "x.tif"), wanted)


@pytest.mark.parametrize("name", ["uint8", "uint16", "int32"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_predictor_is_undone(tmp_path: Path, name: str, order: str) -> None:
    wanted = spread_over(GREYS[name])
    tifffile.imwrite(tmp_path / "x.tif", wanted, byteorder=order, compression="zlib", predictor=True, photometric="minisblack")
    np.testing.assert_array_equal(grey(tmp_path / "x.tif"), wanted)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_turned_tiff_is_kept_as_stored_like_every_other_picture(tmp_path: Path, turn: int, compression: str | None) -> None:
    for wanted in (LABELS, COLOUR):
        photometric = "rgb" if wanted.ndim == 3 else "minisblack"
        tifffile.imwrite(tmp_path / "x.tif", wanted, photometric=photometric, compression=compression, extratags=[(274, 3, 1, turn, True)])
        read = read_raster(tmp_path / "x.tif")
        np.testing.assert_array_equal(read.image.array[..., 0].transpose(2, 1, 0).squeeze(), wanted)
        assert any(f"orientation {turn}" in note for note in read.notes) == (turn > 1)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_colour_in_pixels_or_in_planes_is_read_value_for_value(tmp_path: Path, planar: str, order: str) -> None:
    stored = COLOUR if planar == "contig" else COLOUR.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "x.tif", np.ascontiguousarray(stored), photometric="rgb", planarconfig=planar, byteorder=order)
    read = read_raster(tmp_path / "x.tif").image.array
    np.testing.assert_array_equal(read[..., 0].transpose(2, 1, 0), COLOUR)


@pytest.mark.parametrize("dtype", [np.float64, np.uint64, np.complex64, np.float16])
def test_a_tiff_of_another_kind_is_refused_by_its_kind(tmp_path: Path, dtype: Any) -> None:
    tifffile.imwrite(tmp_path / "x.tif", LABELS.astype(dtype), photometric="minisblack")
    with pytest.raises(FormatError, match=rf"a TIFF holds grey of up to 32 bits.*got {np.dtype(dtype).itemsize * 8}-bit"):
        read_raster(tmp_path / "x.tif")


def test_deep_colour_in_a_tiff_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", COLOUR.astype(np.uint16) * 3, photometric="rgb")
    with pytest.raises(FormatError, match="8 bits a channel"):
        read_raster(tmp_path / "x.tif")


@pytest.mark.parametrize("pages", [4, 40])
def test_pages_that_imagej_hides_are_counted(tmp_path: Path, pages: int) -> None:
    tifffile.imwrite(tmp_path / "x.tif", LABELS, description=f"ImageJ=1.54f\nimages={pages}\nslices={pages}\n", metadata=None)
    with pytest.raises(FormatError, match=f"one page, got {pages}"):
        read_raster(tmp_path / "x.tif")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_as_zero_is_turned_up_in_an_image_and_refused_in_a_mask(tmp_path: Path, dtype: Any) -> None:
    wanted = spread_over(dtype)
    tifffile.imwrite(tmp_path / "x.tif", wanted, photometric="miniswhite")
    np.testing.assert_array_equal(grey(tmp_path / "x.tif"), np.iinfo(dtype).max - wanted)
    assert any("white is stored as 0" in note for note in read_raster(tmp_path / "x.tif").notes)
    with pytest.raises(FormatError, match="two ways"):
        read_mask(tmp_path / "x.tif")


def test_a_value_without_a_meaning_is_noted_in_an_image_and_refused_in_a_mask(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.dstack([COLOUR, LABELS]), photometric="rgb", extrasamples=["unspecified"])
    read = read_raster(tmp_path / "x.tif")
    np.testing.assert_array_equal(read.image.array[..., 0].transpose(2, 1, 0), COLOUR)
    assert any("without a stated meaning" in note for note in read.notes)
    with pytest.raises(FormatError, match="one value a pixel"):
        read_mask(tmp_path / "x.tif")


# --- masks ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4"])
def test_a_label_map_keeps_its_labels_in_every_type_and_order(tmp_path: Path, dtype: str, order: str) -> None:
    tifffile.imwrite(tmp_path / "x.tif", LABELS.astype(dtype), byteorder=order, photometric="minisblack")
    np.testing.assert_array_equal(read_mask(tmp_path / "x.tif").array[..., 0].T, LABELS)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
@pytest.mark.parametrize("top", [1, 255])
def test_two_values_are_one_label_in_every_format_that_keeps_them(tmp_path: Path, suffix: str, top: int) -> None:
    imageio.imwrite(tmp_path / f"x.{suffix}", (LABELS > 1).astype(np.uint8) * np.uint8(top))
    np.testing.assert_array_equal(read_mask(tmp_path / f"x.{suffix}").array[..., 0].T, LABELS > 1)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_one_bit_is_label_one(tmp_path: Path, suffix: str) -> None:
    PIL.Image.fromarray(LABELS > 1).save(tmp_path / f"x.{suffix}")
    assert read_mask(tmp_path / f"x.{suffix}").values() == (0, 1)
    np.testing.assert_array_equal(labels(tmp_path / f"x.{suffix}"), LABELS > 1)


def test_sixteen_bit_black_and_white_is_label_one(tmp_path: Path) -> None:
    imageio.imwrite(tmp_path / "x.png", (LABELS > 1).astype(np.uint16) * np.uint16(65535))
    np.testing.assert_array_equal(labels(tmp_path / "x.png"), LABELS > 1)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_a_palettes_indices_are_labels_whatever_its_colours(tmp_path: Path, suffix: str) -> None:
    picture = PIL.Image.frombytes("P", (11, 9), LABELS.tobytes())
    picture.putpalette([200, 0, 0, 0, 0, 0, 9, 9, 9, 255, 255, 255])
    picture.save(tmp_path / f"x.{suffix}")
    np.testing.assert_array_equal(labels(tmp_path / f"x.{suffix}"), LABELS)


def layer(path: Path, colour: Any, alpha: np.ndarray) -> Path:
    colours = np.broadcast_to(np.asarray(colour, np.uint8), (*alpha.shape, np.size(colour)) if np.ndim(colour) < 2 else np.shape(colour))
    PIL.Image.fromarray(np.dstack([colours, alpha])).save(path)
    return path


DRAWN = (LABELS > 1).astype(np.uint8) * np.uint8(255)


@pytest.mark.parametrize("colour", [(0,), (255,), (7,), (0, 0, 0), (255, 0, 0), (255, 255, 255)])
def test_one_colour_on_transparency_is_read_by_the_transparency(tmp_path: Path, colour: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(labels(layer(tmp_path / "x.png", colour, DRAWN)), LABELS > 1)
    assert any("transparency" in note for note in read_raster(tmp_path / "x.png", "mask").notes)


def test_an_eraser_that_leaves_its_colour_behind_draws_nothing(tmp_path: Path) -> None:
    colours = np.where(LABELS > 0, 255, 0)[..., None]
    np.testing.assert_array_equal(labels(layer(tmp_path / "x.png", colours, DRAWN)), LABELS > 1)


def test_labels_hidden_behind_a_transparent_layer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="0 where it is transparent"):
        labels(layer(tmp_path / "x.png", LABELS[..., None], (LABELS == 0).astype(np.uint8) * 255))


@pytest.mark.parametrize("colour", [(0,), (255,), (255, 0, 0)])
def test_a_layer_with_nothing_on_it_is_an_empty_mask(tmp_path: Path, colour: tuple[int, ...]) -> None:
    assert not labels(layer(tmp_path / "x.png", colour, np.zeros_like(LABELS))).any()


def test_an_opaque_layer_is_read_by_its_colour(tmp_path: Path) -> None:
    np.testing.assert_array_equal(labels(layer(tmp_path / "x.png", LABELS[..., None], np.full_like(LABELS, 255))), LABELS)
    assert not labels(layer(tmp_path / "y.png", (0, 0, 0), np.full_like(LABELS, 255))).any()


def test_labels_on_transparency_are_kept_where_colour_and_transparency_agree(tmp_path: Path) -> None:
    np.testing.assert_array_equal(labels(layer(tmp_path / "x.png", LABELS[..., None], (LABELS > 0).astype(np.uint8) * 255)), LABELS)


@pytest.mark.parametrize(
    ("alpha", "rule"),
    [((LABELS > 1).astype(np.uint8) * 255, "0 where it is transparent"), (np.zeros_like(LABELS), "0 where it is"), (LABELS * 80, "half")],
)
def test_transparency_that_contradicts_the_labels_is_refused(tmp_path: Path, alpha: np.ndarray, rule: str) -> None:
    with pytest.raises(FormatError, match=rule):
        labels(layer(tmp_path / "x.png", LABELS[..., None], alpha))


@pytest.mark.parametrize("mode", ["P", "L"])
def test_a_label_called_transparent_is_refused_and_a_transparent_background_is_not(tmp_path: Path, mode: str) -> None:
    picture = PIL.Image.frombytes(mode, (11, 9), LABELS.tobytes())
    if mode == "P":
        picture.putpalette([0, 0, 0, 9, 9, 9, 200, 0, 0, 3, 3, 3])
    picture.save(tmp_path / "x.png", transparency=0)
    np.testing.assert_array_equal(labels(tmp_path / "x.png"), LABELS)
    picture.save(tmp_path / "x.png", transparency=2)
    with pytest.raises(FormatError, match="value 2 is transparent"):
        labels(tmp_path / "x.png")


def blob(seed: int, size: int = 61) -> np.ndarray:
    """A ragged mask: a threshold of coarse noise, with single pixels on and off."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.normal(size=(size // 6 + 1, size // 6 + 1)), np.ones((6, 6)))[:size, : size - 8]
    return (coarse + rng.normal(0, 0.4, coarse.shape) > 0).astype(np.uint8)


@pytest.mark.parametrize("quality", [5, 30, 50, 60, 75, 85, 95, 100])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_mask_is_exact_or_refused(tmp_path: Path, quality: int, mode: str) -> None:
    exact = 0
    for seed in range(6):
        mask = blob(seed)
        path = tmp_path / f"{seed}.jpg"
        PIL.Image.fromarray(mask * np.uint8(255)).convert(mode).save(path, quality=quality)
        read = outcome(path, "mask")
        assert "save the mask as PNG" in read if isinstance(read, str) else np.array_equal(read, mask)
        exact += not isinstance(read, str)
    assert exact == (6 if quality >= 85 else 0 if quality <= 50 else exact)


@pytest.mark.parametrize("first", [20, 40, 60, 75])
@pytest.mark.parametrize("second", [75, 90, 100])
def test_a_jpeg_mask_that_was_a_coarser_jpeg_before_is_exact_or_refused(tmp_path: Path, first: int, second: int) -> None:
    for seed in range(4):
        mask, path = blob(seed), tmp_path / f"{seed}.jpg"
        PIL.Image.fromarray(mask * np.uint8(255)).save(path, quality=first)
        with PIL.Image.open(path) as picture:
            picture.load()
            picture.save(path, quality=second)
        read = outcome(path, "mask")
        assert "save the mask as PNG" in read if isinstance(read, str) else np.array_equal(read, mask)


def test_a_colour_called_transparent_is_refused_where_it_is_a_label(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(np.dstack([LABELS] * 3))
    picture.save(tmp_path / "x.png", transparency=(0, 0, 0))
    np.testing.assert_array_equal(labels(tmp_path / "x.png"), LABELS)
    picture.save(tmp_path / "x.png", transparency=(2, 2, 2))
    with pytest.raises(FormatError, match="is transparent"):
        labels(tmp_path / "x.png")


def test_a_jpeg_of_labels_or_colours_is_refused_as_a_mask(tmp_path: Path) -> None:
    for name, array in {"labels": LABELS, "steps": LABELS * 80, "colour": COLOUR}.items():
        imageio.imwrite(tmp_path / f"{name}.jpg", array, quality=95)
        with pytest.raises(FormatError, match="PNG"):
            read_mask(tmp_path / f"{name}.jpg")


def test_a_tiff_of_jpeg_tiles_is_no_mask(tmp_path: Path) -> None:
    PIL.Image.fromarray(DRAWN).save(tmp_path / "x.tif", compression="jpeg")
    with pytest.raises(FormatError, match="JPEG may change label values"):
        read_mask(tmp_path / "x.tif")


def png_block(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize("chunk", ["zTXt", "iCCP", "iTXt"])
def test_a_png_with_a_text_bomb_is_refused(tmp_path: Path, chunk: str) -> None:
    packed = zlib.compress(bytes(1 << 26), 9)
    body = {"zTXt": b"k\0\0" + packed, "iCCP": b"k\0\0" + packed, "iTXt": b"k\0\1\0\0\0" + packed}[chunk]
    head = png_block(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0))
    pixels = png_block(b"IDAT", zlib.compress(b"\0\1\2")) + png_block(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + png_block(chunk.encode(), body) + pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = outcome(tmp_path / "x.png", "image")
    assert "too large" in read.lower() if isinstance(read, str) else read.tolist() == [[1, 2]]


@pytest.mark.parametrize("palette", [False, True])
def test_a_tiff_mask_of_four_bits_keeps_the_labels_that_were_written(tmp_path: Path, palette: bool) -> None:
    labels = (np.arange(24).reshape(4, 6) % 16).astype(np.uint8)
    packed = (labels[:, ::2] << 4 | labels[:, 1::2]).tobytes()
    tags = {256: 6, 257: 4, 258: 4, 259: 1, 262: 3 if palette else 1, 273: 0, 277: 1, 278: 4, 279: 12} | ({320: 0} if palette else {})
    start = 8 + 2 + 12 * len(tags) + 4
    tags |= {273: start} | ({320: start + 12} if palette else {})
    entries = b"".join(struct.pack("<HHII", tag, 3 if tag == 320 else 4, 48 if tag == 320 else 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    (tmp_path / "mask.tif").write_bytes(head + packed + (np.arange(48, dtype="<u2") * 1000).tobytes())
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.tif", Grid.flat(6, 4, 1.0)).array[..., 0].T, labels)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_png_mask_of_few_grey_bits_keeps_the_labels_that_were_written(tmp_path: Path, bits: int) -> None:
    labels = (np.arange(24).reshape(3, 8) % 2**bits).astype(np.uint8)
    per_byte = 8 // bits
    packed = sum((labels[:, n::per_byte] << (8 - bits * (n + 1)) for n in range(per_byte)), np.zeros((3, bits), np.uint8)).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    head = png_block(b"IHDR", struct.pack(">IIBBBBB", 8, 3, bits, 0, 0, 0, 0))
    body = png_block(b"IDAT", zlib.compress(rows)) + png_block(b"IEND", b"")
    (tmp_path / "mask.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + body)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", Grid.flat(8, 3, 1.0)).array[..., 0].T, labels)


def test_one_pixel_on_transparency_is_a_mask_of_one_pixel(tmp_path: Path) -> None:
    alone = np.zeros_like(LABELS)
    alone[2, 3] = 255
    np.testing.assert_array_equal(labels(layer(tmp_path / "x.png", (255, 0, 0), alone)), alone > 0)
