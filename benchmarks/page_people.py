"""Twenty people with accounts who save strokes at once, over real connections to a real server."""

import http.client
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from medloop.images.phantoms import phantom_3d
from medloop.loop.people.accounts import add_account
from medloop.loop.people.handing_out import set_password
from medloop.loop.people.passwords import hash_password
from medloop.loop.people.places import opened_accounts
from page_browser import served
from page_figures import PageError
from page_projects import SETTINGS, Made, add_images

PEOPLE = 20
PASSWORD = "correct horse battery"
SHAPE = (96, 96, 60)
IDLE_S = 3.0
RUNS = 25
"""Of one stroke: a short one with a brush of a few voxels."""


@dataclass
class Person:
    """Somebody signed in, with a case of their own open."""

    host: str
    name: str
    project: str
    headers: dict[str, str] = field(default_factory=dict)
    assignment: str = ""
    revision: int = 0
    used: float = 0.0

    def __post_init__(self) -> None:
        self.line = http.client.HTTPConnection(self.host, timeout=60)
        me, cookie = self.send("POST", "/sign-in", {"name": self.name, "password": PASSWORD}, want_cookie=True)
        self.headers = {"Cookie": cookie.split(";")[0], "X-CSRF-Token": me["csrf"]}

    def send(self, method: str, path: str, body: object, *, want_cookie: bool = False) -> tuple[dict, str]:
        """A request below /api/v1; its reply and, where wanted, the cookie that it sets."""
        if time.monotonic() - self.used > IDLE_S:
            self.line.close()  # the server closes what lies idle; the next request opens it again, as a browser does
        self.used = time.monotonic()
        self.line.request(method, f"/api/v1{path}", json.dumps(body), {"Content-Type": "application/json", **self.headers})
        reply = self.line.getresponse()
        read = reply.read()
        if reply.status >= 300:
            raise PageError(f"{method} {path} was {reply.status}: {read[:200]!r}")
        return json.loads(read), (reply.getheader("Set-Cookie") or "") if want_cookie else ""

    def open_next(self) -> None:
        """The next case of the project."""
        opened, _ = self.send("POST", f"/projects/{self.project}/next", {})
        self.assignment = opened["assignment"]["id"]

    def save_stroke(self, place: random.Random) -> float:
        """Milliseconds until a stroke was acknowledged."""
        columns, rows, slices = SHAPE
        x, y, k = place.randrange(columns - 30), place.randrange(rows - RUNS), place.randrange(slices)
        label = 1 + self.revision % 2
        runs = [(x + columns * (y + n + rows * k), 5 + n % 20, label) for n in range(RUNS)]
        began = time.perf_counter()
        saved, _ = self.send(
            "PATCH", f"/projects/{self.project}/assignments/{self.assignment}/draft", {"base_revision": self.revision, "runs": runs}
        )
        took = 1000 * (time.perf_counter() - began)
        self.revision = saved["revision"]
        return took


def make_team(folder: Path) -> Made:
    """A project of one case each, and people with passwords."""
    images = [(f"case-{n:02d}", phantom_3d(n, 0, SHAPE).image) for n in range(PEOPLE)]
    made = add_images(folder, images, SETTINGS)
    store = opened_accounts(folder, make=True)
    assert store is not None
    with closing(store):
        add_account(store, "Ada", role="administrator")
        for n in range(PEOPLE):
            name = f"Person {n:02d}"
            set_password(store, add_account(store, name, role="annotator").id, hash_password(PASSWORD, name=name))
    return made


def measure_autosave(folder: Path, repetitions: int) -> dict[str, list[float]]:
    """Strokes of all at the same moment, then each with a stroke a second at times of their own."""
    made = make_team(folder)
    with served(folder, "--no-worker", "--no-assistant") as server:
        people = [Person(urlsplit(server.url).netloc, f"Person {n:02d}", made.project) for n in range(PEOPLE)]
        for person in people:
            person.open_next()
        found = {
            "autosave, 20 people at the same moment (ms)": _everybody(people, repetitions, _together),
            "autosave, 20 people with a stroke a second each (ms)": _everybody(people, repetitions, _at_random),
        }
        found["autosave, one person alone (ms)"] = [people[0].save_stroke(random.Random(1)) for _ in range(max(20, repetitions))]
        return found


Pause = Callable[[random.Random, threading.Barrier], None]


def _together(_: random.Random, everybody: threading.Barrier) -> None:
    everybody.wait(60)


def _at_random(place: random.Random, _: threading.Barrier) -> None:
    time.sleep(place.expovariate(1.0))


def _everybody(people: list[Person], repetitions: int, pause: Pause) -> list[float]:
    """One thread per person; each saves so many strokes."""
    times = defaultdict[int, list[float]](list)
    barrier = threading.Barrier(len(people))

    def work(number: int) -> None:
        place = random.Random(number)
        try:
            for _ in range(repetitions):
                pause(place, barrier)
                times[number].append(people[number].save_stroke(place))
        except BaseException:
            barrier.abort()  # else the others would wait for somebody who has gone
            raise

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if any(len(times[n]) < repetitions for n in range(len(people))):
        raise PageError("Somebody could not save their strokes")
    return [took for each in times.values() for took in each]
