"""The next image of an import is read while the one before is stored: same images, same refusals, whatever the order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from medloop.core.errors import FormatError, NotFoundError
from medloop.datasets.dataset import CaseSource
from medloop.loop.data.read_ahead import AHEAD_BYTES, ReadAhead


@pytest.fixture
def cases(tmp_path: Path) -> list[CaseSource]:
    made = []
    for number in range(4):
        path = tmp_path / f"p{number}.png"
        Picture.fromarray(np.full((5, 7), number, np.uint8)).save(path)
        made.append(CaseSource(f"p{number}", f"p{number}", (path,)))
    return made


def test_every_case_gets_its_own_image_in_any_order_and_twice(cases: list[CaseSource]) -> None:
    images = ReadAhead(cases)
    for number in (0, 1, 1, 3, 2, 0, 3):
        assert images.read(cases[number]).image.array.max() == number
    images.close()


def test_what_is_wrong_with_a_file_is_raised_for_its_own_case(cases: list[CaseSource]) -> None:
    cases[1].images[0].write_bytes(b"no picture")
    cases[2].images[0].unlink()
    images = ReadAhead(cases)
    assert images.read(cases[0]).image.array.max() == 0
    with pytest.raises(FormatError, match=r"p1\.png"):
        images.read(cases[1])
    with pytest.raises(NotFoundError, match=r"p2\.png"):
        images.read(cases[2])
    assert images.read(cases[3]).image.array.max() == 3
    images.close()


def test_large_files_are_read_when_it_is_their_turn(cases: list[CaseSource], tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(AHEAD_BYTES + 1)
    images = ReadAhead([cases[0], replace(cases[1], images=(large,)), cases[2]])
    images.read(cases[0])
    cases[1].images[0].replace(large)
    assert images.read(replace(cases[1], images=(large,))).image.array.max() == 1
    images.close()
