"""Where the channels of a guided network lie, counted after the image's own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GuidanceChannels:
    previous: slice
    hints: slice
    boxes: slice

    @classmethod
    def of(cls, classes: int) -> "GuidanceChannels":
        return cls(slice(0, classes - 1), slice(classes - 1, 2 * classes - 1), slice(2 * classes - 1, 3 * classes - 2))
