"""What answers and requests hold about a project's settings and its task."""

from dataclasses import replace
from typing import Annotated, Self

from pydantic import Base64Bytes, BeforeValidator, Field

from medloop.core.declaring import SettingValue
from medloop.core.errors import LabelError
from medloop.core.records import USUAL_STRATEGY, Expertise, Task, TaskKind
from medloop.core.setting_groups import GROUPS
from medloop.core.settings import SETTINGS, ProjectSettings
from medloop.loop.foundation.configuring import Changed, TaskChange, require_version
from medloop.loop.foundation.instruction_pictures import MAX_PICTURES
from medloop.server.wire.schemas import Body, Text
from medloop.server.wire.views import LabelView, Number, View

MAX_CHANGES = 254


class SettingView(View):
    """One setting: its group's title, its value, what it may be, and from when on a change counts."""

    name: str
    group: str
    value: SettingValue
    default: SettingValue
    help: str
    applies: str
    choices: tuple[str, ...]
    low: Number
    high: Number


class TaskView(View):
    """The question put to every case, in its newest version; `pictures` says how many its instructions have."""

    version: int
    kind: TaskKind
    labels: list[LabelView]
    instructions: str
    pictures: Annotated[int, BeforeValidator(len)]


class ConfigurationView(View):
    """Everything of a project that can be changed."""

    name: str
    settings: list[SettingView]
    task: TaskView

    @classmethod
    def of(cls, name: str, settings: ProjectSettings, task: Task) -> Self:
        """From the project's records."""
        usual = {"strategy": USUAL_STRATEGY[task.kind]}
        shown = [
            SettingView.reading(SETTINGS[n], group=title, value=getattr(settings, n), default=usual.get(n, SETTINGS[n].default))
            for title, names in GROUPS.items()
            for n in names
        ]
        return cls(name=name, settings=shown, task=TaskView.model_validate(task))


class ChangedView(View):
    """One value that changed, and from when on it counts."""

    what: str
    before: str
    after: str
    applies: str


class ChangesView(View):
    """What a request changed; empty when everything was so already."""

    changes: list[ChangedView]

    @classmethod
    def of(cls, changes: list[Changed]) -> Self:
        """From the loop's list."""
        return cls(changes=[ChangedView.model_validate(change) for change in changes])


class SettingsBody(Body):
    """New values by the settings' names."""

    changes: Annotated[dict[Text, SettingValue], Field(min_length=1, max_length=MAX_CHANGES)]


class RateBody(Body):
    """Terms of an annotator: cost of a minute from now on (with `past` of earlier ones, too), expertise, limits per week (0: none)."""

    annotator: Annotated[Text, Field(min_length=1, max_length=200)]
    cost_per_minute: Annotated[float, Field(strict=True)] | None = None
    past: Annotated[bool, Field(strict=True)] = False
    expertise: Expertise | None = None
    hours_per_week: Annotated[float, Field(strict=True)] | None = None
    cases_per_week: Annotated[int, Field(strict=True)] | None = None


class LabelBody(Body):
    """A label as it should be: `value` names one that exists, null makes a new one; without a colour it keeps or gets one."""

    value: Annotated[int, Field(ge=0, le=254, strict=True)] | None
    name: Annotated[Text, Field(min_length=1, max_length=200)]
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = None


class TaskBody(Body):
    """What to change of a project's name and task; what is left out stays.

    Attributes:
        version: The task's version as the caller knows it; another one is refused.
        pictures: PNG or JPEG files in base64, to be shown in the instructions after those that are there.
        labels: All labels as they should be, those that exist in their order, new ones after them.
        inside: Name of a label (after the change) → name of the label that it lies inside of, "" for none; others stay as they are.
        overlaps: Name of a label (after the change) → names of all labels that it overlaps, [] for none; others stay as they are.
    """

    version: Annotated[int, Field(ge=1, strict=True)]
    name: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    instructions: Annotated[Text, Field(max_length=20_000)] | None = None
    pictures: Annotated[tuple[Base64Bytes, ...], Field(max_length=MAX_PICTURES)] = ()
    labels: Annotated[list[LabelBody], Field(min_length=1, max_length=MAX_CHANGES)] | None = None
    inside: Annotated[dict[str, Annotated[Text, Field(max_length=200)]], Field(max_length=MAX_CHANGES)] | None = None
    overlaps: Annotated[dict[str, Annotated[list[Text], Field(max_length=MAX_CHANGES)]], Field(max_length=MAX_CHANGES)] | None = None

    def change(self, task: Task) -> TaskChange:
        """The change of a task that this asks for.

        Raises:
            ConflictError: The task has another version by now.
            LabelError: An existing label is missing or out of order.
        """
        require_version(task, self.version)
        said = TaskChange(
            instructions=self.instructions, pictures=self.pictures, inside=self.inside, overlaps=self.overlaps, version=self.version
        )
        if self.labels is None:
            return said
        kept, fresh = self.labels[: len(task.labels)], self.labels[len(task.labels) :]
        if [one.value for one in kept] != [label.value for label in task.labels] or any(one.value is not None for one in fresh):
            have = ", ".join(f"{label.value} {label.name}" for label in task.labels)
            raise LabelError(f"Labels are renamed or added, never removed; the task has {have}", remedy="send all of them, new ones last")
        return replace(
            said,
            added=tuple(one.name for one in fresh),
            renamed={label.name: one.name for label, one in zip(task.labels, kept, strict=True)},
            colours={one.name: one.colour for one in self.labels if one.colour is not None},
        )
