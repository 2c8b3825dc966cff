"""The command that lets a model of somebody else propose."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloop.cli.option_groups import with_option_group
from medloop.cli.options import AsJson, ProjectFolder, argument, open_project, option
from medloop.cli.printing import say, tell
from medloop.core.errors import MedloopError, SettingError

if TYPE_CHECKING:
    from medloop.loop.data.outside_models import HowToRun


@dataclass(frozen=True)
class Described:
    """What a network's file does not say of itself, as it is typed."""

    labels: Annotated[str, option(metavar="A,B", help="Names of its outputs in their order, without the background.")] = ""
    mapping: Annotated[
        str, option("--map", metavar="THEIRS=OURS,…", help="Labels that are called otherwise here; =background drops one.")
    ] = ""
    channels: Annotated[int, typer.Option(min=0, max=256, help="Channels of its images; 0: what the file says, else 1.")] = 0
    dimension: Annotated[int, typer.Option(min=0, max=3, help="2 for single slices, else 3; 0: what the file says.")] = 0
    gives: Annotated[str, option(metavar="logits|sigmoid|probabilities", help="What its outputs are.")] = ""
    spacing: Annotated[str, option(metavar="X,Y,Z", help="The spacing in mm that it works at; that of each image by default.")] = ""
    orientation: Annotated[str, option(metavar="RAS", help="Letters that voxels are brought to; the order of the file by default.")] = ""
    axes: Annotated[str, option(metavar="ijk|kji", help="Order of the axes of its input.")] = ""
    intensities: Annotated[
        str, option(metavar="STEP:NUMBER:…,…", help="Steps before it: robust-zscore, zscore, minmax, range:L:H, clip:L:H, affine:MEAN:STD.")
    ] = ""
    window: Annotated[str, option(metavar="I,J,K", help="Voxels that it sees at once; the whole image by default.")] = ""
    stride: Annotated[str, option(metavar="I,J,K", help="Sizes that it takes are multiples of these.")] = ""
    overlap: Annotated[float, option(help="Share that windows overlap.")] = -1.0
    minutes: Annotated[float, typer.Option(min=0.01, max=100_000, help="Processor minutes of one window at most.")] = 10.0
    memory: Annotated[float, typer.Option(min=0.1, max=4096, help="GiB of memory at most.")] = 8.0
    threads: Annotated[int, typer.Option(min=1, max=1024, help="CPU threads of the network.")] = 1
    server: Annotated[str | None, option(metavar="NAME", help="A MONAI Label server of model-servers.toml, on which MODEL is.")] = None
    once: Annotated[bool, typer.Option("--once", help="Predict the cases that there are now, and none that come later.")] = False
    nnunet: Annotated[str, option(metavar="COMMAND", help="Of nnU-Net: its command; looked for on the path by default.")] = ""
    device: Annotated[str, typer.Option(help="Of nnU-Net: cpu, cuda or mps.")] = "cpu"

    def facts(self) -> dict[str, Any]:
        """Fields of a description that were given.

        Raises:
            SettingError: Numbers that are none.
        """
        plain = ("channels", "dimension", "gives", "orientation", "axes")
        found: dict[str, Any] = {name: value for name in plain if (value := getattr(self, name))}
        if self.spacing:
            found["spacing_mm"] = _three("--spacing", self.spacing, float)
        return found | self._window() | self._intensities()

    def _window(self) -> dict[str, Any]:
        from medloop.models.exchange.description import Window

        if not (self.window or self.stride or self.overlap >= 0):
            return {}
        size = _three("--window", self.window, int) if self.window else (0, 0, 0)
        stride = _three("--stride", self.stride, int) if self.stride else (1, 1, 1)
        return {"window": Window(size, self.overlap if self.overlap >= 0 else 0.5, whole=0.0, stride=stride)}

    def _intensities(self) -> dict[str, Any]:
        from medloop.models.exchange.intensities import checked_steps

        steps = []
        for one in filter(None, self.intensities.split(",")):
            name, *numbers = one.split(":")
            names = ("subtract", "divide") if name == "affine" else ("low", "high", "to_low", "to_high")
            try:
                steps.append({"step": name, **dict(zip(names, map(float, numbers), strict=False))})
            except ValueError:
                raise SettingError(f"--intensities has numbers after a step, got {one!r:.40}", remedy="such as clip:-200:300") from None
        return {"intensities": checked_steps(steps)} if steps else {}


@with_option_group("described", Described)
def import_model(
    folder: ProjectFolder,
    place: Annotated[
        str,
        argument(
            metavar="MODEL", help="TorchScript, ONNX, a MONAI bundle, the folder of a trained nnU-Net v2, or a model's name on a server."
        ),
    ],
    described: Described,
    name: Annotated[str, option("--as", metavar="NAME", help="What the page and the history call it; the file's name by default.")] = "",
    as_json: AsJson = False,
) -> None:
    """Let a model of somebody else propose for the unlabelled cases.

    Its proposals have uncertainty, and queries go by it until there is a model of the project; where evaluation cases are annotated it is
    judged on them, and triage sorts by it. It runs in a limited process, and no code of a bundle or a pickle is run. Safe to repeat. Until
    a model of the project is in use, it also predicts the cases that come later.
    """
    from medloop.cli.progress import Bar
    from medloop.loop.data.import_report import brief_refusals
    from medloop.loop.data.outside_models import import_model as take

    with open_project(folder) as workspace, Bar("Predicting") as bar:
        called = name or (Path(place).resolve().name if described.server is None else f"{described.server}-{place}")
        done = take(workspace, place, name=called, how=_how(described), report=bar.update, actor="cli")
    for line in brief_refusals(done.refused):
        say(f"left out: {line}")
    for note in done.notes:
        say(f"note: {note}")
    tell(done, lambda: typer.echo(str(done)), as_json=as_json)
    if not done.predicted and not done.known:
        remedy = "see the lines above" if done.refused else "import images first"
        raise MedloopError(f"Nothing was predicted by {called}", remedy=remedy)


def _how(described: Described) -> "HowToRun":
    from medloop.loop.data.outside_models import HowToRun
    from medloop.models.exchange.child import Limits
    from medloop.models.exchange.opening import Stated

    labels = tuple(one.strip() for one in described.labels.split(",") if one.strip())
    seconds = described.minutes * 60
    return HowToRun(
        stated=Stated(labels, described.facts()),
        mapping=_pairs(described.mapping),
        limits=Limits(int(described.memory * 2**30), max(1, round(seconds)), 2 * seconds, described.threads),
        command=described.nnunet or None,
        device=described.device,
        server=described.server,
        once=described.once,
    )


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for one in filter(None, text.split(",")):
        theirs, sign, ours = one.partition("=")
        if not (sign and theirs.strip() and ours.strip()):
            raise SettingError(f"--map is written THEIRS=OURS, got {one!r:.40}", remedy="such as --map lesion=tumour")
        found[theirs.strip()] = ours.strip()
    return found


def _three(flag: str, text: str, kind: type[Any]) -> tuple[Any, Any, Any]:
    try:
        i, j, k = (kind(part) for part in text.split(","))
    except ValueError:
        raise SettingError(f"{flag} needs three numbers, got {text!r:.40}", remedy=f"such as {flag} 96,96,96") from None
    return i, j, k
