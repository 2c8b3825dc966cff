import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from medloop.core.errors import FormatError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.images.raster import read_raster, write_image_png, write_mask_png
from medloop.images.read import read_image, read_mask

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.random.default_rng(0).integers(0, 255, (3, 4, 3), dtype=np.uint8)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    PIL.Image.fromarray(array).save(path, **options)
    return path


def png(path: Path, width: int, height: int, bits: int, kind: int, rows: bytes) -> Path:
    """A PNG made by hand, for depths that Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_width_is_the_first_axis_and_height_the_second(tmp_path: Path, suffix: str) -> None:
    read = read_raster(save(tmp_path / f"x{suffix}", GREY))
    assert read.image.array.shape == (1, 4, 3, 1)
    np.testing.assert_array_equal(read.image.array[0, :, :, 0], GREY.T)
    assert read.image.grid == Grid.flat(4, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, suffix: str) -> None:
    deep = GREY.astype(np.uint16) * 255
    read = read_raster(save(tmp_path / f"x{suffix}", deep))
    assert read.image.array.dtype == np.uint16
    np.testing.assert_array_equal(read.image.array[0, :, :, 0], deep.T)


def test_colour_gives_three_channels(tmp_path: Path) -> None:
    read = read_raster(save(tmp_path / "x.png", COLOUR))
    np.testing.assert_array_equal(read.image.array[:, :, :, 0], COLOUR.transpose(2, 1, 0))


def test_grey_stored_as_colour_becomes_one_channel_and_says_so(tmp_path: Path) -> None:
    read = read_raster(save(tmp_path / "x.png", np.stack([GREY] * 3, axis=-1)))
    assert read.image.channels == 1
    assert "grey stored as colour; one channel kept" in read.notes


def test_transparency_is_dropped_and_noted(tmp_path: Path) -> None:
    read = read_raster(save(tmp_path / "x.png", np.dstack([COLOUR, GREY])))
    np.testing.assert_array_equal(read.image.array[:, :, :, 0], COLOUR.transpose(2, 1, 0))
    assert "transparency is dropped" in read.notes


def test_a_palette_gives_colours_in_an_image_and_indices_in_a_mask(tmp_path: Path) -> None:
    picture = PIL.Image.frombytes("P", (4, 3), ((GREY > 100).astype(np.uint8) * 2).tobytes())
    picture.putpalette([0, 0, 0, 9, 9, 9, 255, 0, 0])
    picture.save(tmp_path / "x.png")
    assert read_raster(tmp_path / "x.png").image.array[0].max() == 255
    assert read_mask(tmp_path / "x.png").values() == (0, 2)


def test_a_turned_photo_is_kept_as_stored_and_noted(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(COLOUR)
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "x.jpg", exif=exif)
    read = read_raster(tmp_path / "x.jpg")
    assert read.image.array.shape == (3, 4, 3, 1)
    assert any("orientation 6" in note for note in read.notes)


def test_black_and_white_masks_hold_label_one(tmp_path: Path) -> None:
    for name, array in {"byte": (GREY > 100).astype(np.uint8) * 255, "bit": GREY > 100, "full": np.full_like(GREY, 255)}.items():
        assert read_mask(save(tmp_path / f"{name}.png", array)).values()[-1] == 1


def test_other_label_maps_are_kept_exactly(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2, 255]], np.uint8)
    np.testing.assert_array_equal(read_mask(save(tmp_path / "x.png", labels)).array[:, :, 0], labels.T)


@pytest.mark.parametrize(("bits", "row"), [(2, bytes([0b00011011])), (4, bytes([0x01, 0x23]))])
def test_labels_of_two_and_four_bits_are_not_spread(tmp_path: Path, bits: int, row: bytes) -> None:
    mask = read_mask(png(tmp_path / "x.png", 4, 1, bits, 0, b"\0" + row))
    assert mask.array[:, 0, 0].tolist() == [0, 1, 2, 3]


def test_deep_colour_is_refused_instead_of_cut_to_eight_bits(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="8 bits a channel"):
        read_raster(png(tmp_path / "x.png", 1, 1, 16, 2, bytes(7)))


def test_cmyk_is_refused(tmp_path: Path) -> None:
    PIL.Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "x.jpg")
    with pytest.raises(FormatError, match="got CMYK"):
        read_raster(tmp_path / "x.jpg")


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_several_pages_are_refused(tmp_path: Path, suffix: str) -> None:
    pages = [PIL.Image.fromarray(GREY + n) for n in range(3)]
    pages[0].save(tmp_path / f"x{suffix}", save_all=True, append_images=pages[1:])
    with pytest.raises(FormatError, match="one page, got 3"):
        read_raster(tmp_path / f"x{suffix}")


@pytest.mark.parametrize("side", [60_000, 12_000])
def test_a_pixel_flood_is_refused_before_decoding(tmp_path: Path, side: int) -> None:
    with pytest.raises(FormatError, match=r"^x\.png: "):
        read_raster(png(tmp_path / "x.png", side, side, 8, 0, b""))


@pytest.mark.parametrize("content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_only_claims_to_be_a_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(FormatError, match=r"^x\.png: ") as caught:
        read_raster(tmp_path / "x.png")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_truncated_picture_is_refused(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"x{suffix}", np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FormatError):
        read_raster(path)


def test_a_zero_sized_png_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        read_raster(png(tmp_path / "x.png", 0, 0, 8, 0, b""))


def test_a_written_mask_comes_back(tmp_path: Path) -> None:
    mask = Mask((GREY.T[..., None] % 3).astype(np.uint8), Grid.flat(4, 3))
    write_mask_png(tmp_path / "x.png", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "x.png").array, mask.array)


@pytest.mark.parametrize(
    "array", [GREY.T[None, ..., None], GREY.T[None, ..., None].astype(np.uint16) * 200, COLOUR.transpose(2, 1, 0)[..., None]]
)
def test_a_written_image_comes_back(tmp_path: Path, array: np.ndarray) -> None:
    write_image_png(tmp_path / "x.png", Image(array, Grid.flat(4, 3)))
    np.testing.assert_array_equal(read_raster(tmp_path / "x.png").image.array, array)


def test_volumes_are_not_written_as_png(tmp_path: Path) -> None:
    grid = Grid.of_spacing((2, 2, 2), (1, 1, 1))
    with pytest.raises(ShapeError):
        write_mask_png(tmp_path / "x.png", Mask(np.zeros((2, 2, 2), np.uint8), grid))
    with pytest.raises(ShapeError):
        write_image_png(tmp_path / "x.png", Image(np.zeros((1, 2, 2, 2), np.uint8), grid))


def test_a_path_may_be_written_as_text(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / f"{name}.png", GREY)
    one = str(tmp_path / "a.png")
    assert np.array_equal(read_image(one).image.array, read_image(tmp_path / "a.png").image.array)
    assert read_image([one, str(tmp_path / "b.png")]).image.channels == 2
    assert read_mask(one).array.shape == (4, 3, 1)
