"""What trainings begin with, as the page shows it, and requests for another start."""

from typing import Annotated, Literal, Self

from pydantic import Field

from medloop.loop.foundation.starts import Start
from medloop.server.wire.schemas import Body, IdText
from medloop.server.wire.views import View


class LayerView(View):
    """One tensor of the network: what it took of the weights brought, how, and why not."""

    name: str
    shape: list[int]
    source: str
    how: str
    why: str


class StartView(View):
    """Weights that trainings begin with; `layers` and `unused` report what became of weights from elsewhere, else they are empty."""

    id: str
    at: str
    origin: Literal["pool", "file"]
    source: str
    words: str
    note: str
    layers: list[LayerView]
    unused: list[str]

    @classmethod
    def of(cls, start: Start) -> Self:
        """From what is kept."""
        lines = [LayerView(**line) for line in start.metrics.get("layers", ())]
        return cls.reading(start, layers=lines, unused=start.metrics.get("unused", []))


class PretrainingView(View):
    """The setting `pretraining`, the start in use, null where there is none, and why the pool cannot be learned from, or ""."""

    setting: Literal["none", "pool", "file"]
    refusal: str
    start: StartView | None


class PretrainBody(Body):
    """How long to learn from the pool.

    Attributes:
        steps: Of it; 0 as long as a training.
        minutes: In place of steps.
    """

    steps: Annotated[int, Field(ge=0, le=10_000_000, strict=True)] = 0
    minutes: Annotated[float, Field(ge=0, le=100_000)] = 0


class TransferBody(Body):
    """Whose weights to begin with.

    Attributes:
        from_project: The project whose model in use is taken.
        layers: All that fit, or the encoder alone.
        inflate: Whether 2D kernels may become 3D ones.
    """

    from_project: IdText
    layers: Literal["all", "encoder"] = "all"
    inflate: Annotated[bool, Field(strict=True)] = False
