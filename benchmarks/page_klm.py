"""A scripted expert's seconds: operators of the keystroke-level model for the hand and the head, the clock for the machine.

Each thing the script really does on the page is counted as what a person does for it; what the page and the server take until they are
ready is measured. Homing is not counted: one hand rests on the keys, the other on the mouse, on every page alike.

Source: Card, Moran and Newell 1980, doi:10.1145/358886.358895: K (average skilled typist), P, D and M as given there.
"""

import time
from dataclasses import dataclass
from itertools import pairwise
from math import dist

from playwright.sync_api import Page

from page_browser import wait_until

KEY, POINT, MENTAL = 0.20, 1.10, 1.35
"""Seconds of a key or button, of pointing at something, of making up one's mind."""
SEGMENT, CENTIMETRE = 0.9, 0.16
"""Seconds of drawing: per straight piece of a line, and per centimetre of it."""
POINTS_PER_CENTIMETRE = 96 / 2.54

Point = tuple[float, float]


@dataclass
class Hand:
    """Mouse and keyboard of somebody at a page, with what it cost so far.

    Attributes:
        acted: Seconds by the model.
        waited: Seconds of the clock.
        keys, clicks, strokes, views: How many there were.
    """

    page: Page
    acted: float = 0.0
    waited: float = 0.0
    keys: int = 0
    clicks: int = 0
    strokes: int = 0
    views: int = 0

    def press(self, key: str) -> None:
        """A key, with all that is held for it; a held key is a key more."""
        self.page.keyboard.press(key)
        self.keys += 1
        self.acted += KEY * (1 + key.count("+"))

    def turn(self, by: int) -> None:
        """So many notches of the wheel, where the pointer is."""
        for _ in range(abs(by)):
            self.page.mouse.wheel(0, 100 if by > 0 else -100)
        self.acted += KEY * abs(by)

    def look(self) -> None:
        """At a slice or a preview."""
        self.views += 1
        self.acted += MENTAL

    def click(self, at: Point) -> None:
        """Point at something and click."""
        self.page.mouse.click(*at)
        self.clicks += 1
        self.acted += POINT + KEY

    def type(self, field: str, text: str) -> None:
        """Point at a field, click, type, and Enter."""
        self.page.get_by_test_id(field).fill(text)
        self.page.keyboard.press("Enter")
        self.clicks += 1
        self.keys += len(text) + 1
        self.acted += POINT + KEY * (2 + len(text))

    def draw(self, line: list[Point]) -> None:
        """Point at its beginning, press, follow the line, let go."""
        self.page.mouse.move(*line[0])
        self.page.mouse.down()
        for at in line[1:]:
            self.page.mouse.move(*at)
        self.page.mouse.up()
        self.strokes += 1
        length = sum(dist(a, b) for a, b in pairwise(line)) / POINTS_PER_CENTIMETRE
        self.acted += POINT + 2 * KEY + SEGMENT * (len(line) - 1) + CENTIMETRE * length

    def wait(self, condition: str) -> None:
        """Until the page is ready."""
        began = time.monotonic()
        wait_until(self.page, condition, seconds=60)
        self.waited += time.monotonic() - began
