"""Live news: the state at once, a message per change, signs of life, and no stream that outlives the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from medloop.core.errors import NotFoundError, UnavailableError
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.feed import MAX_LISTENERS, WAITING_MESSAGES, Feed

Scene = Callable[[Feed, Workspace], Awaitable[None]]


@pytest.fixture
def play(folder: Path) -> Callable[[Scene], None]:
    """Run a scene with a feed over a real project."""

    def run(scene: Scene) -> None:
        with Workspace.open(folder) as workspace:
            feed = Feed(lambda _id: workspace, poll_seconds=0.01, heartbeat_seconds=0.1)
            asyncio.run(asyncio.wait_for(scene(feed, workspace), 20))

    return run


async def news(stream: AsyncIterator[str]) -> tuple[str, dict]:
    """The next event that is no sign of life."""
    async for message in stream:
        if "event: " in message:
            name, data = (line for line in message.splitlines() if line.startswith(("event: ", "data: ")))
            return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
    raise EOFError


def test_a_listener_gets_the_state_at_once_and_every_change(play) -> None:
    async def scene(feed: Feed, workspace: Workspace) -> None:
        async with aclosing(await feed.listen("p")) as stream:
            name, before = await news(stream)
            job = workspace.store.jobs.enqueue("train", {})
            _, after = await news(stream)
            workspace.store.jobs.cancel(job.id)
            _, last = await news(stream)
        assert (name, before["jobs"], before["model"]) == ("change", [], None)
        assert [j["state"] for j in after["jobs"]] == ["queued"]
        assert [j["state"] for j in last["jobs"]] == ["cancelled"]

    play(scene)


def test_an_idle_stream_gives_signs_of_life_only(play) -> None:
    async def scene(feed: Feed, _workspace: Workspace) -> None:
        async with aclosing(await feed.listen("p")) as stream:
            await news(stream)
            assert [await anext(stream) for _ in range(2)] == [": still here\n\n"] * 2

    play(scene)


def test_what_is_published_reaches_every_listener(play) -> None:
    async def scene(feed: Feed, _workspace: Workspace) -> None:
        async with aclosing(await feed.listen("p")) as one, aclosing(await feed.listen("p")) as two:
            await news(one)
            await news(two)
            feed.publish("p", "proposal", {"case_id": "c"})
            assert await news(one) == await news(two) == ("proposal", {"case_id": "c"})

    play(scene)


def test_a_slow_listener_loses_old_messages_but_not_the_newest(play) -> None:
    async def scene(feed: Feed, _workspace: Workspace) -> None:
        async with aclosing(await feed.listen("p")) as stream:
            await news(stream)
            for number in range(3 * WAITING_MESSAGES):
                feed.publish("p", "proposal", {"n": number})
            numbers = [(await news(stream))[1]["n"] for _ in range(WAITING_MESSAGES)]
        assert numbers[-1] == 3 * WAITING_MESSAGES - 1

    play(scene)


def test_closing_the_feed_ends_every_stream(play) -> None:
    async def scene(feed: Feed, _workspace: Workspace) -> None:
        stream = await feed.listen("p")
        await news(stream)
        feed.close()
        with pytest.raises(EOFError):
            await news(stream)

    play(scene)


def test_nobody_is_watched_when_nobody_listens(play) -> None:
    async def scene(feed: Feed, _workspace: Workspace) -> None:
        async with aclosing(await feed.listen("p")) as stream:
            await news(stream)
            watch = feed._watch
        assert watch is not None
        await watch

    play(scene)


def test_there_is_a_limit_to_listeners(play) -> None:
    async def scene(feed: Feed, _workspace: Workspace) -> None:
        streams = [await feed.listen("p") for _ in range(MAX_LISTENERS)]
        for stream in streams:
            await news(stream)
        with pytest.raises(UnavailableError, match="close some"):
            await feed.listen("p")
        feed.close()
        for stream in streams:
            await stream.aclose()

    play(scene)


def test_the_stream_of_an_unknown_project_is_not_found(site) -> None:
    assert site.client.get("/api/v1/projects/none/stream").status_code == 404


def test_an_unknown_project_is_told_at_once() -> None:
    def missing(project_id: str) -> Workspace:
        raise NotFoundError(f"No project {project_id}")

    with pytest.raises(NotFoundError):
        asyncio.run(Feed(missing, poll_seconds=1, heartbeat_seconds=1).listen("x"))
