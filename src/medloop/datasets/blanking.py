"""What `--blank` means: rectangles, or everything outside of a file's ultrasound regions."""

import re
from dataclasses import replace

from medloop.core.errors import SettingError
from medloop.datasets.dataset import Blank, Box, Dataset

OUTSIDE_REGIONS = "outside-regions"
_BOX = re.compile(r"\s*(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})\s*")


def blanked(dataset: Dataset, text: str) -> Dataset:
    """An opened source whose new images are blanked where `blank_named` says."""
    return replace(dataset, blank=blank_named(text))


def blank_named(text: str) -> Blank:
    """Pixels to blank, as people write them: `X,Y,WIDTH,HEIGHT`, several after each other with a space or semicolon, or `outside-regions`.

    Raises:
        SettingError: Anything else.
    """
    boxes: list[Box] = []
    outside = False
    for word in filter(None, re.split(r"[;\s]+", text.strip())):
        found = _BOX.fullmatch(word)
        if word == OUTSIDE_REGIONS:
            outside = True
        elif found:
            left, top, width, height = map(int, found.groups())
            boxes.append((left, top, width, height))
        else:
            raise SettingError(
                f"--blank takes X,Y,WIDTH,HEIGHT in pixels or {OUTSIDE_REGIONS}, got {word[:40]!r}", remedy='for example "0,0,640,60"'
            )
    if text and not (boxes or outside):
        raise SettingError("--blank takes a rectangle, got none", remedy='for example "0,0,640,60"')
    return Blank(tuple(boxes), outside)
