"""The limits for one kind of image, fitted once: of the image alone, and of what the model in use says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medloop.core.records import Case, Model
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.mask_figures import is_sized
from medloop.loop.overview.acquisition_references import ComparedWith, References, image_references, model_references
from medloop.metrics.measures import MeasureName
from medloop.quality.acquisition.model_signs import MODEL_SIGNS
from medloop.quality.acquisition.rule import AcquisitionRule, Direction, fewest_patients, fit_rule
from medloop.quality.acquisition.signs import SIGNS, Reason, Sign


@dataclass(frozen=True)
class SignLine:
    """One number of an image.

    Attributes:
        name: Of the sign; "contrast 2" for the second of several channels.
        words: What it is.
        reason: What is wrong when it is unusual.
        value: Of this image.
        usual: Up to (or down to) which it is usual; None where that is not known.
        score: How unusual it is, in units of the references; None where no reference has it.
        unusual: Whether it is.
    """

    name: str
    words: str
    reason: Reason
    value: float
    usual: float | None
    score: float | None
    unusual: bool


@dataclass(frozen=True)
class Part:
    """The signs of an image or of a proposal, by the limits that were set for them; `note` says why there are none."""

    rule: AcquisitionRule
    lines: tuple[SignLine, ...]
    kind: ComparedWith
    note: str


@dataclass(frozen=True)
class Said:
    """What a model says: which model, its signs, and label values with the measures whose spread counts."""

    model: Model
    signs: Mapping[str, float]
    uses: tuple[tuple[int, MeasureName], ...]


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits of a project at a rate of false alarms; for a case of the project, those of the other patients where `apart`.

    The image's and the model's part share the rate; where only one of them has enough patients, it has all of it.
    """

    workspace: Workspace
    alarm: float
    apart: bool = True
    _references: dict[tuple[object, ...], References] = field(default_factory=dict)
    _rules: dict[tuple[object, ...], AcquisitionRule] = field(default_factory=dict)

    def parts(self, case: Case, signs: Mapping[str, float], said: Said | None) -> tuple[Part, ...]:
        """Judge the signs of an image, and of what a model says of it."""
        half = self.alarm / 2
        if said is None:
            return (self._of_image(case, signs, self.alarm),)
        others = self._others(case, said)
        with_model = len(set(others.patients)) >= fewest_patients(half)
        own = self._of_image(case, signs, half if with_model else self.alarm)
        rest = half if own.rule.calibrated else self.alarm
        key = ("model", *self._key(case), said.model.id, said.uses)
        name = f"images that model {said.model.index} did not learn from"
        return own, self._part(others, said.signs, MODEL_SIGNS, rest, (key, name))

    def _of_image(self, case: Case, signs: Mapping[str, float], alarm: float) -> Part:
        key = ("image", *self._key(case), alarm)
        if key not in self._references:
            self._references[key] = image_references(self.workspace, case, alarm=alarm, apart=self.apart)
        return self._part(self._references[key], signs, SIGNS, alarm, (key, "images"))

    def _others(self, case: Case, said: Said) -> References:
        key = ("model", *self._key(case), said.model.id, said.uses)
        if key not in self._references:
            self._references[key] = model_references(self.workspace, said.model, case, said.uses, apart=self.apart)
        return self._references[key]

    def _key(self, case: Case) -> tuple[object, ...]:
        return (case.channels, case.grid.is_2d, is_sized(case), case.patient if self.apart else "")

    def _part(
        self, references: References, signs: Mapping[str, float], known: Sequence[Sign], alarm: float, what: tuple[tuple[object, ...], str]
    ) -> Part:
        called = {name: sign for name in signs for sign in known if sign.name == name.split(" ")[0]}
        key = (*what[0], alarm, tuple(called))
        if key not in self._rules:
            read = {name: Direction(sign.bad, sign.least) for name, sign in called.items()}
            self._rules[key] = fit_rule(references.signs, references.patients, read, alarm=alarm)
        rule = self._rules[key]
        scores = rule.scores(signs)
        lines = [_line(name, sign, signs[name], rule, scores.get(name)) for name, sign in called.items()]
        return Part(rule, tuple(lines), references.kind, "" if rule.calibrated else f"No limit from {what[1]}: {rule.note}")


def _line(name: str, sign: Sign, value: float, rule: AcquisitionRule, score: float | None) -> SignLine:
    usual = rule.usual(name) if rule.calibrated and score is not None else None
    unusual = usual is not None and score is not None and score > rule.limit
    shown = None if score is None else round(score, 3)
    return SignLine(name, sign.words, sign.reason, value, None if usual is None else round(usual, 5), shown, unusual)
