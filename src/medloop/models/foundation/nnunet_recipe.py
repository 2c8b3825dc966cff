"""What a model that nnU-Net trained for a project says of itself, in place of a `Recipe`; and what both kinds have in common.

Its weights are safetensors, one document per fold, like those of any model. nnU-Net's plans and data set description are kept here as
they were at its training, so that its networks can be built again. Free of torch.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from medloop.core.errors import SettingError, UnavailableError
from medloop.core.geometry import Shape3
from medloop.core.names import counted
from medloop.core.records import Json, Model, TaskKind
from medloop.models.foundation.plans import Spacing
from medloop.models.foundation.recipes import Recipe

LEARNER = "learner"
"""Names what made a model, in its recipe; missing where that is medloop's own training."""


class Reads(Protocol):
    """What any model's networks can read: a `Recipe` or a `NnunetRecipe`."""

    @property
    def kind(self) -> TaskKind: ...  # noqa: D102
    @property
    def dimension(self) -> int: ...  # noqa: D102
    @property
    def channels(self) -> int: ...  # noqa: D102
    @property
    def spacing_mm(self) -> Spacing | None: ...  # noqa: D102
    @property
    def framed_mm(self) -> Spacing | None: ...  # noqa: D102
    @property
    def patch(self) -> Shape3: ...  # noqa: D102
    @property
    def fitted(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class NnunetRecipe:
    """How nnU-Net trained a model, and how its networks are built again.

    Attributes:
        dimension: 2 when every image has one slice, else 3.
        channels: Of the images.
        classes: Values of a mask, background included.
        members: Folds, each a network.
        configuration: Of the plans, such as 3d_fullres.
        spacing_mm: Voxels at which the networks see an image (I, J, K).
        patch: Voxels that they see at once (I, J, K).
        flips: Image axes that were mirrored in training.
        outputs: The value that each output channel stands for; 0 is the background.
        regions: As in a `Recipe`; outputs are regions, which overlap, where this is not empty.
        plans, dataset: nnU-Net's plans.json and dataset.json.
        shared: Name of a tensor → the one that it is another name of; weights hold that one only.
        version: Of nnU-Net.
        seed: Of the training.
        threads: CPU threads.
    """

    dimension: int
    channels: int
    classes: int
    members: int
    configuration: str
    spacing_mm: Spacing | None
    patch: Shape3
    flips: tuple[int, ...]
    outputs: tuple[int, ...]
    regions: tuple[tuple[int, ...], ...]
    plans: Json
    dataset: Json
    shared: Json
    version: str
    seed: int
    threads: int = 1
    learner: str = "nnunet"
    kind: TaskKind = "segmentation"
    framed_mm: Spacing | None = None
    fitted: bool = False

    def to_json(self) -> Json:
        """As plain numbers, strings, lists and objects."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Json) -> "NnunetRecipe":
        """Inverse of `to_json`.

        Raises:
            SettingError: With a field missing or unknown.
        """
        tuples = {"spacing_mm", "patch", "flips", "outputs"}
        read: dict[str, Any] = {name: tuple(value) if name in tuples and value is not None else value for name, value in record.items()}
        read["regions"] = tuple(tuple(held) for held in record.get("regions", ()))
        try:
            return cls(**read)
        except TypeError as error:
            raise SettingError(f"Not a recipe of nnU-Net: {error}", remedy="it was written by another version of medloop") from error


AnyRecipe: TypeAlias = Recipe | NnunetRecipe


def recipe_of(model: Model) -> AnyRecipe:
    """The recipe of a model of the project, whatever trained it.

    Raises:
        SettingError: It was written by another version.
    """
    return read_recipe(model.recipe)


def read_recipe(record: Json) -> AnyRecipe:
    """The recipe that a record holds; raises as `recipe_of`."""
    return NnunetRecipe.from_json(record) if LEARNER in record else Recipe.from_json(record)


def own_recipe(model: Model, what: str) -> Recipe:
    """The recipe of a model that medloop trained itself, for what no other can do; `what` completes "can …".

    Raises:
        UnavailableError: nnU-Net trained it.
    """
    found = recipe_of(model)
    if isinstance(found, NnunetRecipe):
        rule = f"Only networks that medloop trained can {what}, model {model.index} was trained by nnU-Net"
        raise UnavailableError(rule, remedy="use an earlier model with medloop models, or train with learner=builtin")
    return found


def learner_words(model: Model) -> str:
    """Who trained a model, where that was not medloop; "" else."""
    if LEARNER not in model.recipe:
        return ""
    recipe, dice = NnunetRecipe.from_json(model.recipe), model.metrics.get("pseudo_dice")
    said = "" if dice is None else f", pseudo Dice {dice:.3f} of its own validation patches"
    return f"trained by nnU-Net {recipe.version} ({recipe.configuration}, {counted(recipe.members, 'fold')}{said})"
