"""The line to the assistant: JSON over its Unix socket, and its refusals as if they had been made here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from medloop.core.errors import UnavailableError
from medloop.server.web.failures import foreseen

REFINEMENT_SECONDS = 60.0
"""Longest time an answer may take: a cold start and the first look at a large volume on two cores."""

ASSISTANT_SECONDS = 120.0
"""Longest time one proposal or explanation may take: a cold start and a large volume on two cores."""

START_SECONDS, PAUSE_SECONDS = 20.0, 0.1
"""How long to wait for an assistant that starts (again), and how often to look."""


class AssistantLink:
    """Asks the assistant; what waits for its answer holds no thread."""

    def __init__(self, socket_path: Path | None) -> None:
        self.socket_path = socket_path

    async def request(
        self, address: str, body: Mapping[str, Any], *, seconds: float = REFINEMENT_SECONDS, start_seconds: float = START_SECONDS
    ) -> dict[str, Any]:
        """The assistant's answer.

        Args:
            address: For example "/refine".
            body: Sent as JSON.
            seconds: Longest time to wait for it, once the assistant runs.
            start_seconds: Longest time to wait for the assistant to run.

        Raises:
            UnavailableError: There is no assistant, or it does not answer in time.
            MedloopError: What it refused, as if it had been refused here.
        """
        import httpx

        if self.socket_path is None:
            remedy = "start the server with its assistant (MEDLOOP_ASSISTANT=1), or draw with the brush"
            raise UnavailableError("Prompts are computed by the assistant, and there is none", remedy=remedy)
        given_up = anyio.current_time() + start_seconds
        line = httpx.AsyncHTTPTransport(uds=str(self.socket_path), verify=False)
        async with httpx.AsyncClient(transport=line, base_url="http://localhost", timeout=seconds, trust_env=False) as client:
            while True:
                try:
                    answer = await client.post(address, json=body)
                    told = answer.json()
                    break
                except (httpx.HTTPError, ValueError) as error:
                    if not isinstance(error, httpx.ConnectError) or anyio.current_time() > given_up:
                        rule = f"The assistant does not respond ({type(error).__name__})"
                        raise UnavailableError(rule, remedy="it is restarted by itself") from error
                    await anyio.sleep(PAUSE_SECONDS)
        if answer.status_code != 200:
            raise foreseen(told)
        return dict(told)
