"""The Python face of a project: the loop's verbs as methods, for scripts and notebooks.

with Project.create("liver", kind="segmentation", labels=["liver"]) as project:
    project.add("Task03_Liver")
    project.train()
    case = project.next("ann")
    project.submit(case, my_mask)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace as replace_record
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from medloop.core.arrays import MaskArray
from medloop.core.declaring import SettingValue
from medloop.core.errors import NotFoundError
from medloop.core.geometry import PlaneName
from medloop.core.image import Image
from medloop.core.overlaps import Overlapping
from medloop.core.records import (
    Annotation,
    Assignment,
    Case,
    Expertise,
    Measurement,
    Model,
    ProjectSettings,
    Query,
    ReferenceSeries,
    Review,
    TaskKind,
)
from medloop.core.settings import Learner
from medloop.datasets.archives import unpacked
from medloop.datasets.dataset import Dataset, MaskReading
from medloop.datasets.discover import open_dataset
from medloop.interaction.dwell import Dwelt
from medloop.interaction.weak.marks import Mark
from medloop.loop.annotating.adjudicating import Ruling, adjudicate, restore
from medloop.loop.annotating.annotations import Opened, choose_case, flag_case, next_assignment, skip_case, submit
from medloop.loop.annotating.declaring import AnnotatedCases, Declared, annotated_cases, declare_annotated
from medloop.loop.annotating.gold import add_gold, admit, withdraw_gold
from medloop.loop.annotating.gold_feedback import GoldFeedback, gold_feedback
from medloop.loop.annotating.history import HistoryLine, case_history
from medloop.loop.annotating.marking import SubmittedMarks, submit_marks
from medloop.loop.annotating.measuring import MeasurementRequest, take_measurement
from medloop.loop.annotating.placing import place_frame
from medloop.loop.annotating.propagating import REACH, Propagation, propagate
from medloop.loop.annotating.rejecting import reject_proposal
from medloop.loop.annotating.review_verdicts import Signed, Waiting, approve, return_case, review_queue
from medloop.loop.annotating.steps import DraftStep, annotation_steps, draft_steps
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.tracing import dwell_of
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.data.adding_references import add_reference
from medloop.loop.data.export_report import ExportReport
from medloop.loop.data.exporting import export_project
from medloop.loop.data.framed import FrameLine, frame_lines
from medloop.loop.data.importing import AnnotationsWanted, ImportReport, import_dataset
from medloop.loop.data.listed_references import ReferenceLine, reference_lines
from medloop.loop.data.marks_files import MarkedLine, MarksReport, import_marks, marked_cases
from medloop.loop.data.measured import MeasurementLine, measurement_lines
from medloop.loop.data.outside_models import HowToRun, ModelReport, import_model
from medloop.loop.data.outside_proposals import ProposalsReport, import_proposals
from medloop.loop.data.pacs_named import archive_named
from medloop.loop.data.pacs_pull import PullBounds, PullReport, pull
from medloop.loop.data.pacs_push import Push, PushReport, push
from medloop.loop.data.parts_in import PartsReport, import_parts
from medloop.loop.data.removing_references import remove_reference
from medloop.loop.data.retention import Retention, RetentionReport, remove_due, retention
from medloop.loop.foundation.annotated_labels import labels_named
from medloop.loop.foundation.annotators import annotator_known, annotator_named, describe_annotator, set_cost
from medloop.loop.foundation.arrays import load_image, load_proposal
from medloop.loop.foundation.configuring import Changed, TaskChange, configure
from medloop.loop.foundation.disposed import Disposition
from medloop.loop.foundation.effort_log import plain_seconds
from medloop.loop.foundation.named_frames import NamedSlice
from medloop.loop.foundation.partial_annotations import Part
from medloop.loop.foundation.pseudonyms import pseudonyms_of
from medloop.loop.foundation.readings import CaseReading, case_readings
from medloop.loop.foundation.references import HowToAdd
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.starts import Layers, Start, begin_with_pool, starts
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.drift import DriftReport, drift_report
from medloop.loop.judging.releasing import refuse_model, release_model, roll_back, use_automatic, use_model
from medloop.loop.judging.triage import RISK, Triage, triage_pool
from medloop.loop.judging.trial_effort import TrialEffort, trial_efforts
from medloop.loop.judging.trust import Check
from medloop.loop.learning.adapting import AdaptReport
from medloop.loop.learning.adapting_job import adapt_in_way
from medloop.loop.learning.federated import write_plan
from medloop.loop.learning.federated_joining import join_federation
from medloop.loop.learning.federated_privacy import Privacy
from medloop.loop.learning.pretraining import start_from
from medloop.loop.overview.acquisition import AcquisitionCheck, Demand
from medloop.loop.overview.acquisition_checks import AcquisitionChecker, check_cases
from medloop.loop.overview.annotator_skill import AgreementWindow, AnnotatorLine, agreement_over_time, skilled_annotators
from medloop.loop.overview.frames import annotations_frame, cases_frame
from medloop.loop.overview.gold_standing import GoldStanding, gold_standing
from medloop.loop.overview.inline import case_inline, progress_inline, project_inline
from medloop.loop.overview.learned_skills import LearnedSkill, learned_skills
from medloop.loop.overview.map_points import ShownMap, map_of
from medloop.loop.overview.measurements import CaseMeasures, Wanted, measure_project
from medloop.loop.overview.model_history import ModelLine, list_models
from medloop.loop.overview.model_matrix import ModelMatrix, model_matrix, request_rejudging
from medloop.loop.overview.pool_map import Described, Layout
from medloop.loop.overview.progress import Progress, progress
from medloop.loop.overview.report import report_html
from medloop.loop.overview.spending import By, WorkLine, work_lines
from medloop.loop.overview.status import ProjectStatus, status
from medloop.loop.overview.stream_standing import StreamStanding, stream_standing
from medloop.loop.overview.suspects import SuspectAnnotation, suspects
from medloop.loop.overview.watching import job_bar
from medloop.loop.querying.by_hand import ByHand, cases_called, query_by_hand
from medloop.loop.querying.disposing import dispose_arrivals
from medloop.loop.querying.parts import queried_parts
from medloop.loop.querying.recalling import recall_accepted, renew_rule
from medloop.loop.querying.rounds import Outlook, choosing, outlooks, prepare_round
from medloop.loop.querying.streaming import StreamVerdict, verdicts
from medloop.loop.worker import drain
from medloop.metrics.measure_bounds import TOLERANCE
from medloop.models.exchange.federation import Plan
from medloop.models.exchange.flower import Secured
from medloop.pacs.archive import FoundStudies, PacsQuery
from medloop.report.inline import Inline
from medloop.store.homes import Places

if TYPE_CHECKING:
    from pandas import DataFrame


class Project:
    """An open project; use it as a context manager or call `close`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        kind: TaskKind,
        labels: Sequence[str] | Mapping[str, str] | Overlapping,
        name: str = "",
        instructions: str = "",
        settings: ProjectSettings | None = None,
        url: str | Places | None = None,
    ) -> Self:
        """Make a new project; see `Workspace.create`, also for labels that lie inside others or overlap, and for rows and blobs elsewhere.

        Raises:
            ConflictError: The folder already holds a project.
            SettingError: Labels or settings outside the rules.
            LabelError: A label inside one that there is not, labels inside each other in a circle, or overlaps that cannot be.
        """
        path = Path(folder)
        made = Workspace.create(
            path,
            name=name or path.name,
            kind=kind,
            labels=labels,
            instructions=instructions,
            settings=settings,
            url=url,
            actor="python",
        )
        return cls(made)

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open an existing project.

        Raises:
            NotFoundError: The folder holds none.
        """
        return cls(Workspace.open(Path(folder)))

    def add(
        self,
        source: str | Path | Dataset,
        *,
        fmt: str = "auto",
        masks: MaskReading = "labels",
        patient_pattern: str | None = None,
        annotations: AnnotationsWanted = "all",
        annotated: Sequence[str] | None = None,
        objects_in: str | Path | None = None,
    ) -> ImportReport:
        """Import a folder, a zip archive, a CSV or what `open_dataset` found; see `import_dataset`, and for how it is read `open_dataset`.

        `medloop.datasets.blanking.blanked` says of an opened source which pixels of new images are blanked,
        `medloop.datasets.channel_groups.grouped` which of its series and files are channels of one case or references beside it.
        """
        if isinstance(source, Dataset):
            return import_dataset(self.workspace, source, annotations=annotations, annotated=annotated, actor="python")
        known_as = pseudonyms_of(self.workspace).uid
        with unpacked(Path(source)) as opened:
            found = open_dataset(opened, fmt=fmt, masks=masks, patient_pattern=patient_pattern, objects_in=objects_in, known_as=known_as)
            return import_dataset(self.workspace, found, annotations=annotations, annotated=annotated, actor="python")

    def add_reference(self, case: str, files: str | Path | Sequence[str | Path], how: HowToAdd | None = None) -> ReferenceSeries:
        """Keep another series of its patient beside a case: a file, the folder of a DICOM series, or its files; see `HowToAdd`.

        Raises:
            NotFoundError: No case of that name, or no such file.
            InputError: Its header names another patient than the case's, or it is the image of another patient's case.
            ConflictError: The case has another reference of that name.
        """
        given = [files] if isinstance(files, str | Path) else files
        return add_reference(self.workspace, self._case(case), given, how, actor="python")

    def references(self, case: str = "") -> tuple[ReferenceLine, ...]:
        """The references beside one case or all: other series of the same patient, which nobody annotates.

        Raises:
            NotFoundError: No case of that name.
        """
        return reference_lines(self.workspace, case)

    def remove_reference(self, case: str, name: str) -> ReferenceSeries:
        """Take a reference away; `medloop doctor --sweep` then removes its voxels.

        Raises:
            NotFoundError: No such case or reference.
        """
        return remove_reference(self.workspace, self._case(case), name, actor="python")

    def import_proposals(self, folder: str | Path, *, name: str) -> ProposalsReport:
        """Take masks or probability maps of another tool as the first proposals of unlabelled cases; `name` says who made them.

        Raises:
            SettingError: The project is a classification.
            InputError: A name that cannot be kept.
            LabelError: Its dataset.json names labels that the project does not have.
        """
        return import_proposals(self.workspace, folder, name=name, actor="python")

    def import_parts(self, folder: str | Path, *, annotated: Sequence[str] | None = None) -> PartsReport:
        """Take masks of cases that are there of which slices or boxes are annotated: 255, or nnU-Net's ignore label, where nothing is.

        Raises:
            SettingError: The project is a classification.
            LabelError: Labels that the project does not have.
        """
        return import_parts(self.workspace, folder, annotated=annotated, actor="python")

    def import_model(self, place: str | Path, *, name: str, how: HowToRun | None = None) -> ModelReport:
        """Let TorchScript, ONNX, a MONAI bundle, the folder of a trained nnU-Net or a MONAI Label server propose.

        See `medloop.loop.data.outside_models`; cases that come later have their proposals, too, unless `how` says `once`.

        Raises:
            SettingError: The project is a classification, or the file says too little: then `how` says the rest; a server is not allowed.
            NotFoundError: No such file, server or model.
            LabelError: It has labels that the project does not have.
            ConflictError: Another file has that name in the project.
            FormatError: It is no model, is damaged, or holds code.
            UnavailableError: What runs it is not installed.
        """
        return import_model(self.workspace, place, name=name, how=how, actor="python")

    def annotated(self) -> tuple[AnnotatedCases, ...]:
        """Of every label: in how many cases it is annotated, and which annotated cases lack it."""
        return annotated_cases(self.workspace)

    def declare_annotated(self, cases: Iterable[str], labels: Iterable[str]) -> Declared:
        """Say which labels the annotations of some cases annotate, by names; see `medloop.loop.annotating.declaring`.

        Raises:
            NotFoundError: No case of that name.
            InputError: No label, or a case without an annotation.
            LabelError: A label that the task does not have.
        """
        chosen = [self._case(name).id for name in cases]
        return declare_annotated(self.workspace, chosen, labels_named(self.workspace.task, labels), actor="python")

    def query(self, *, lacking: str | None = None, strategy: str = "", count: int | None = None) -> Query | None:
        """Choose the cases of the next round, and why; None when none is left.

        Args:
            lacking: A label: of annotated cases that lack it, for it alone; None as the project is set.
            strategy: How to choose; "" for the project's strategy.
            count: How many; None for the project's batch.

        Raises:
            LabelError: The project does not have that label.
            StateError: No annotated case that could be queried lacks it.
        """
        wanted = choosing(self.workspace, strategy=strategy, count=count, lacking=lacking)
        made = prepare_round(wanted, thorough=True)
        return self.workspace.store.get(Query, made.query_id) if made and made.query_id else None

    def query_these(self, cases: Sequence[str], *, count: int | None = None) -> ByHand:
        """Begin a round of cases of your own choice, by name: all of them, or `count` by the strategy; it is no draw from the pool.

        Raises:
            NotFoundError: No case of such a name.
            StateError: None of them can be queried.
            InputError: None was named, or more than a thousand are to be queried.
        """
        return query_by_hand(self.workspace, cases_called(self.workspace, cases), count=count, actor="python")

    def map(self, *, described: Described = "auto", layout: Layout = "pca", by: str = "") -> ShownMap:
        """Lay out every case as a point, so that cases which look alike lie together; see `make_map`.

        Args:
            described: By the embeddings of the model in use, from the images, or whichever there is.
            layout: The exact plane of greatest variance, or t-SNE of a few thousand cases.
            by: Column of the source's table that groups the points.

        Raises:
            InputError: Fewer than three cases can be described, or no case has that column.
            NotFoundError: No model is in use.
            SettingError: t-SNE of too many cases.
        """
        return map_of(self.workspace, described=described, layout=layout, by=by)

    def next(self, annotator: str = "local") -> Opened | None:
        """The next case for this person, opened; None when nothing is left."""
        return next_assignment(self.workspace, annotator_named(self.workspace, annotator).id)

    def open_case(self, name: str, annotator: str = "local") -> Opened:
        """One chosen case, opened with its annotation, anybody's, or a draft of one's own.

        Raises:
            NotFoundError: No case of that name.
            StateError: One's tutorial is not over.
        """
        return choose_case(self.workspace, self._case(name).id, self._id(annotator))

    def image(self, opened: Opened) -> Image:
        """The opened case's image, array shape (C, I, J, K)."""
        return load_image(self.workspace.store.blobs, opened.case)

    def proposal(self, opened: Opened) -> MaskArray | None:
        """The proposed mask, shape (I, J, K), or None when no model has seen the case."""
        if opened.prediction is None:
            return None
        return load_proposal(self.workspace.store.blobs, opened.prediction, opened.case)

    def submit(
        self,
        opened: Opened,
        answer: MaskArray | int,
        *,
        effort_seconds: float | None = None,
        replace: bool = False,
        independent: bool = False,
        whole: bool = False,
    ) -> Annotation:
        """Finish an opened case with a mask, shape (I, J, K) uint8, or a tag; where parts were queried (`parts`), these count.

        Args:
            opened: The case.
            answer: The mask or the tag.
            effort_seconds: Active time spent, without pauses; None or 0 where it is unknown.
            replace: Replace an annotation that somebody else gave, or that was imported.
            independent: The annotation owes nothing to the proposal; otherwise one that may do so counts as leaning on it.
            whole: All of the mask counts, though only parts of the case were queried.

        Raises:
            InputError: An annotation that fits neither the case nor the task.
            ReplacesError: Somebody else's annotation stands, and `replace` is off.
        """
        tag, mask = (answer, None) if isinstance(answer, int) else (None, answer)
        what = Submitted(tag=tag, mask=mask, effort_seconds=effort_seconds, replace=replace, independent=independent, whole=whole)
        return submit(self.workspace, opened.assignment.id, what)

    def parts(self, opened: Opened) -> tuple[Part, ...]:
        """The slices or boxes that an opened case was queried for; () for all of it."""
        with self.workspace.store.read() as tx:
            return queried_parts(tx, opened.assignment)

    def submit_parts(self, opened: Opened, mask: MaskArray, parts: Sequence[Part], *, effort_seconds: float | None = None) -> Annotation:
        """Finish an opened case with an annotation of some slices or boxes only; the case may be queried again.

        Raises:
            InputError: A mask that does not fit, or parts outside the image.
            StateError: This person has annotated the whole case.
        """
        return submit(self.workspace, opened.assignment.id, Submitted(mask=mask, parts=parts, effort_seconds=effort_seconds))

    def submit_marks(
        self, opened: Opened, marks: Sequence[Mark], *, effort_seconds: float | None = None, labels: Iterable[str] | None = None
    ) -> Annotation:
        """Finish an opened case with points, scribbles, boxes, extreme points, superpixels or tags in place of a mask.

        Args:
            opened: The case; it may be queried again.
            marks: Of `medloop.interaction.weak.marks`; label 0 marks background. Those of an earlier submission are replaced.
            effort_seconds: Active time spent; None or 0 where it is unknown.
            labels: The labels that background marks are about; None is all of them.

        Raises:
            InputError: Marks outside the image, or that contradict each other or a mask of the case.
            StateError: The case evaluates, or this person has annotated it whole.
        """
        named = None if labels is None else labels_named(self.workspace.task, labels)
        given = SubmittedMarks(marks=tuple(marks), reported=plain_seconds(effort_seconds), annotated=named)
        return submit_marks(self.workspace, opened.assignment.id, given)

    def marks(self) -> tuple[MarkedLine, ...]:
        """Every person's marks in force, by case name."""
        return marked_cases(self.workspace)

    def import_marks(self, document: str | Path) -> MarksReport:
        """Take the marks of a JSON document, such as `export` writes for the format "marks".

        Raises:
            FormatError: The document cannot be read.
        """
        return import_marks(self.workspace, Path(document), actor="python")

    def frames(self, case: str = "") -> tuple[FrameLine, ...]:
        """Which frame or slice each person takes for each name of the template, of one case or of all.

        Raises:
            NotFoundError: No case of that name.
        """
        return frame_lines(self.workspace, self._case(case).id if case else None)

    def place_frame(self, opened: Opened, name: str, index: int) -> tuple[NamedSlice, ...]:
        """Let a name of the template stand for another slice of an open case; all its names as they stand then.

        Raises:
            InputError: The template does not have the name, or the case not the slice.
        """
        return place_frame(self.workspace, opened.assignment.id, name, index)

    def submit_labels(
        self, opened: Opened, mask: MaskArray, labels: Iterable[str], *, effort_seconds: float | None = None, replace: bool = False
    ) -> Annotation:
        """Finish an opened case with a mask of some labels, by names: of the others it says nothing, and holds no voxel.

        Raises:
            InputError: A mask that does not fit, or no label.
            LabelError: A label that the task does not have, or a mask that holds another one.
            ReplacesError: Somebody else's annotation stands, and `replace` is off.
        """
        named = labels_named(self.workspace.task, labels)
        what = Submitted(mask=mask, annotated=named, effort_seconds=effort_seconds, replace=replace, whole=True)
        return submit(self.workspace, opened.assignment.id, what)

    def steps(self, of: Opened | Annotation) -> tuple[DraftStep, ...]:
        """Every saved edit of an opened case, or those that led to a submitted annotation, oldest first, to be gone through again.

        Raises:
            NotFoundError: An annotation that was not drawn here: imported, fused, decided from readings, or a tag.
        """
        made = annotation_steps(self.workspace, of.id) if isinstance(of, Annotation) else draft_steps(self.workspace, of.assignment.id)
        return made.steps

    def trace(self, opened: Opened, text: str, *, label: int = 1) -> Dwelt:
        """What a trace of a pointer or of gaze (CSV or JSON) says of a label on an open case: chances, mask, prompts; nothing is saved.

        Raises:
            FormatError: Text that is no trace.
            InputError: Samples outside the image, times that run backwards, or nothing that was looked at.
            LabelError: A label that the task does not have.
        """
        return dwell_of(self.workspace, opened.case, text, label)[0]

    def propagate(self, opened: Opened, *, reach: int = REACH) -> Propagation:
        """Carry the labels of an open film from the frames drawn on to the others, as one edit of the draft.

        Raises:
            InputError: The case is no film, or no frame of it was drawn on.
        """
        draft = self.workspace.store.get(Assignment, opened.assignment.id)
        return propagate(self.workspace, draft.id, base_revision=draft.revision, reach=reach)

    def reject(self, opened: Opened, *, effort_seconds: float | None = None) -> Annotation:
        """Finish an opened case by rejecting its proposal: it is no pseudo-label, and is queried again before others.

        Raises:
            StateError: There is no proposal, the case evaluates, or it is annotated.
        """
        return reject_proposal(self.workspace, opened.assignment.id, effort=plain_seconds(effort_seconds))

    def skip(self, opened: Opened, reason: str) -> None:
        """Close an opened case without an annotation; annotations it has leave training, evaluation and export."""
        skip_case(self.workspace, opened.assignment.id, reason=reason)

    def flag(self, opened: Opened, reason: str) -> None:
        """Mark an opened case for someone to look at; annotations it has leave training, evaluation and export."""
        flag_case(self.workspace, opened.assignment.id, reason=reason)

    def undo(self, opened: Opened) -> Opened:
        """Take the submission of an opened case back; it is open again with what was submitted as its draft.

        Raises:
            ConflictError: The same person has annotated or edited the case since, or there is no submission.
        """
        return replace_record(opened, assignment=undo_submit(self.workspace, opened.assignment.id))

    def train(self, *, threads: int = 1, again: bool = False, learner: Learner | None = None) -> ProjectStatus:
        """Train on all annotations now, in this process, then predict and evaluate.

        Args:
            threads: CPU threads.
            again: Make a model also when nothing is new since the last one.
            learner: What learns, from now on; None leaves the setting as it is.

        Raises:
            MedloopError: The training failed; the message says why.
        """
        if learner is not None:
            self.configure(learner=learner)
        start_training(self.workspace, again=again, actor="python")
        self.work(threads=threads)
        return self.status()

    def pretrain(self, *, steps: int = 0, minutes: float = 0.0, threads: int = 1) -> Start:
        """Let the network learn from the project's images, and trainings begin so from now on; 0: as long as a training.

        Raises:
            MedloopError: Too few images, or the pretraining failed; the message says why.
        """
        begin_with_pool(self.workspace, steps=steps, minutes=minutes, actor="python")
        self.workspace = self.workspace.reload()
        try:
            self.work(threads=threads)
        finally:
            self.workspace = self.workspace.reload()
        with self.workspace.store.read() as tx:
            return [one for one in starts(tx) if one.origin == "pool"][-1]

    def start_from(self, source: str | Path, *, inflate: bool = False, layers: Layers = "all") -> Start:
        """Let trainings begin with weights from a file, a MONAI bundle or another project; see `medloop.loop.learning.pretraining`.

        Raises:
            NotFoundError: No such file or folder, or a project without a model.
            FormatError: A file that is no weights.
            InputError: Nothing of it fits the project's network.
        """
        start = start_from(self.workspace, Path(source), inflate=inflate, layers=layers, actor="python")
        self.workspace = self.workspace.reload()
        return start

    def work(self, *, threads: int = 1) -> int:
        """Run every waiting job in this process, in a notebook with a bar; returns how many ran."""
        with job_bar(self.workspace):
            return drain(self.workspace, threads=threads)

    def configure(self, *, name: str | None = None, task: TaskChange | None = None, **settings: SettingValue) -> list[Changed]:
        """Change settings by name, the project's name, its instructions and labels; see `medloop.loop.foundation.configuring.configure`.

        Raises:
            SettingError: An unknown setting, or a value outside its range.
            LabelError: A label that does not exist, or a name or colour that cannot be.
        """
        changes = configure(self.workspace, settings=settings, name=name, task=task, actor="python")
        self.workspace = self.workspace.reload()
        return changes

    def annotators(self) -> tuple[AnnotatorLine, ...]:
        """Everybody who annotates: annotations, cases, minutes, cost per minute, skill."""
        return skilled_annotators(self.workspace)

    def describe_annotator(
        self,
        annotator: str,
        *,
        expertise: Expertise | None = None,
        hours_per_week: float | None = None,
        cases_per_week: int | None = None,
    ) -> None:
        """Say how experienced an annotator is and how much routing may give them per week (0: no limit); what is None stays.

        Raises:
            SettingError: A limit outside its range.
        """
        describe_annotator(
            self.workspace,
            annotator,
            actor="python",
            expertise=expertise,
            hours_per_week=hours_per_week,
            cases_per_week=cases_per_week,
        )

    def outlook(self, annotator: str = "") -> tuple[Outlook, ...]:
        """What everybody at work, or one annotator, would get next, and why; nothing is opened.

        Raises:
            NotFoundError: Nobody of that name has opened a case.
        """
        return outlooks(self.workspace, annotator)

    def add_gold(self, case: str, annotator: str = "local") -> None:
        """Make the annotation in force of a case the truth that people are held against; see `medloop.loop.annotating.gold.add_gold`.

        Raises:
            StateError: It has no whole annotation in force.
        """
        add_gold(self.workspace, self._case(case).id, annotator_id=self._id(annotator))

    def withdraw_gold(self, case: str, annotator: str = "local") -> None:
        """Take a gold case out of use; scores on it no longer count.

        Raises:
            StateError: It is none.
        """
        withdraw_gold(self.workspace, self._case(case).id, annotator_id=self._id(annotator))

    def gold(self) -> GoldStanding:
        """The gold cases, and what each person makes of them."""
        return gold_standing(self.workspace)

    def gold_feedback(self, opened: Opened) -> GoldFeedback | None:
        """What came of a case that was a gold case, once it is submitted; None for real work."""
        return gold_feedback(self.workspace, opened.assignment.id) if opened.assignment.gold_id is not None else None

    def admit(self, annotator: str) -> None:
        """Let somebody begin real work without the tutorial, or after one that they did not pass.

        Raises:
            NotFoundError: Nobody of that name has opened a case.
        """
        admit(self.workspace, annotator, actor="python")

    def reading(self, case: str) -> CaseReading:
        """How far the readings of a case, by its name, are.

        Raises:
            NotFoundError: No case of that name.
        """
        found = self._case(case)
        with self.workspace.store.read() as tx:
            return case_readings(tx, [found.id])[found.id]

    def review_queue(self) -> tuple[Waiting, ...]:
        """The cases that wait for a reviewer, least agreement first, and those that were returned."""
        return review_queue(self.workspace)

    def approve(self, case: str, reviewer: str = "local", *, comment: str = "", signed_as: str = "") -> Review:
        """Approve what stands for a case; see `medloop.loop.annotating.review_verdicts.approve`.

        Raises:
            StateError: It has no annotation, or lacks readings.
        """
        return approve(
            self.workspace, self._case(case).id, self._id(reviewer), comment=comment, signed=Signed(signed_as) if signed_as else None
        )

    def return_case(self, case: str, reviewer: str = "local", *, comment: str, to: str) -> Review:
        """Return a case to an annotator with a comment: it comes next to them.

        Raises:
            InputError: No comment.
            NotFoundError: Nobody of that name has opened a case.
            StateError: The case has no annotation.
        """
        with self.workspace.store.read() as tx:
            whom = annotator_known(tx, to).id
        return return_case(self.workspace, self._case(case).id, self._id(reviewer), comment=comment, to=whom)

    def adjudicate(self, case: str, decision: Sequence[Ruling] | MaskArray, reviewer: str = "local", *, comment: str = "") -> Annotation:
        """Decide between the readings of a case; see `medloop.loop.annotating.adjudicating.adjudicate`.

        Raises:
            InputError: No ruling, or one that does not fit the case.
            StateError: The case has no annotation.
        """
        return adjudicate(self.workspace, self._case(case).id, self._id(reviewer), decision, comment=comment)

    def restore(self, annotation_id: str, reviewer: str = "local") -> Annotation:
        """Bring an earlier annotation of a case back as a new one.

        Raises:
            NotFoundError: No such annotation.
        """
        return restore(self.workspace, annotation_id, self._id(reviewer))

    def history(self, case: str) -> tuple[HistoryLine, ...]:
        """What happened to a case: who, when, what changed.

        Raises:
            NotFoundError: No case of that name.
        """
        return case_history(self.workspace, self._case(case).id)

    def suspects(self, *, limit: int = 100) -> tuple[SuspectAnnotation, ...]:
        """Annotations that are probably wrong, most suspicious first."""
        return suspects(self.workspace, limit=limit)

    def agreement(self) -> tuple[AgreementWindow, ...]:
        """Agreement of the readings, week by week."""
        return agreement_over_time(self.workspace)

    def learned_skills(self) -> tuple[LearnedSkill, ...]:
        """What the newest model with an annotator model learned of each annotator; see the setting `annotator_model`."""
        return learned_skills(self.workspace)

    def set_cost(self, annotator: str, cost_per_minute: float, *, past: bool = False) -> None:
        """Set what a minute of an annotator costs; see `medloop.loop.foundation.annotators.set_cost`."""
        set_cost(self.workspace, annotator, cost_per_minute, actor="python", past=past)

    def effort(self, by: By = "person") -> tuple[WorkLine, ...]:
        """What all work took: minutes, cost, strokes, agreement and skill, by person, round, case or annotation."""
        return work_lines(self.workspace, by)

    def verdicts(self) -> dict[str, StreamVerdict]:
        """What a stream decided about each case that arrived, by name; see the setting `stream`."""
        with self.workspace.store.read() as tx:
            return {tx.get(Case, case_id).name: verdict for case_id, verdict in verdicts(tx).items()}

    def dispositions(self) -> StreamStanding:
        """What the stream decided about the cases that arrived, by which rule, and what its audit found; see the setting `stream_risk`."""
        return stream_standing(self.workspace)

    def dispose_arrivals(self) -> list[Disposition]:
        """Decide what arrived and is predicted now, as workers do by themselves; the decisions, without those of the audit sample.

        People read that sample without knowing what was decided: `dispositions` shows it once they have.
        """
        found = dispose_arrivals(self.workspace)
        with self.workspace.store.read() as tx:
            drawn = {c.id for c in tx.find(Case, where={"id": [one.case_id for one in found], "split": "audit"})} if found else set()
        return [one for one in found if one.case_id not in drawn]

    def renew_rule(self, why: str) -> None:
        """Have the stream's rule made anew, on all patients evaluated by then; an alarm is lifted by it.

        Raises:
            InputError: No reason.
            StateError: There is neither a rule nor an alarm.
        """
        renew_rule(self.workspace, why=why, actor="python")

    def recall_accepted(self, why: str, *, model: int | None = None) -> list[Disposition]:
        """Have people read the accepted cases that nobody has read so far, of one model or of all.

        Raises:
            InputError: No reason.
            StateError: No such case.
        """
        return recall_accepted(self.workspace, why=why, actor="python", model_index=model)

    def status(self) -> ProjectStatus:
        """Counts, round, model and jobs."""
        return status(self.workspace)

    def progress(self) -> Progress:
        """Learning curve, speed, expected quality."""
        return progress(self.workspace)

    def measures(self, *, of: Wanted = "any", tolerance: float = TOLERANCE) -> list[CaseMeasures]:
        """How large structures are in every case that was annotated or predicted; see `measure_case`."""
        return measure_project(self.workspace, of=of, tolerance=tolerance)

    def measure(self, opened: Opened, request: MeasurementRequest) -> Measurement:
        """Measure a length, an angle, a region of a slice, or a label of the draft of an open case, and keep it.

        Raises:
            InputError: Points off the image or off their slice; see `take_measurement`.
            LabelError: A label that the task does not have.
        """
        if request.kind == "label" and request.assignment_id is None:
            draft = self.workspace.store.get(Assignment, opened.assignment.id)
            request = replace_record(request, assignment_id=draft.id, revision=draft.revision)
        return take_measurement(self.workspace, opened.case.id, opened.assignment.annotator_id, request)

    def measurements(self, case: str = "") -> tuple[MeasurementLine, ...]:
        """Every measurement that stands, of one case or of all.

        Raises:
            NotFoundError: No case of that name.
        """
        return measurement_lines(self.workspace, self._case(case).id if case else None)

    def show(self, case: str | Opened, *, plane: PlaneName | None = None, index: int | None = None) -> Inline:
        """A slice of a case for a notebook: image, annotation (solid), proposal (dashed) and uncertainty; see `case_inline`.

        Raises:
            NotFoundError: No case of that name.
            InputError: A plane that the case does not have, or a slice outside it.
        """
        chosen = self._case(case) if isinstance(case, str) else case.case
        return case_inline(self.workspace, chosen, plane=plane, index=index)

    def show_progress(self) -> Inline:
        """The learning curve and the models for a notebook."""
        return progress_inline(self.workspace)

    def cases_frame(self) -> "DataFrame":
        """A pandas table of the cases: state, split, annotations, expected quality, entropy; see `medloop.loop.overview.frames`.

        Raises:
            UnavailableError: pandas is not installed.
        """
        return cases_frame(self.workspace)

    def annotations_frame(self) -> "DataFrame":
        """A pandas table of every annotation: who, what kind, which labels, seconds, whether it is in force.

        Raises:
            UnavailableError: pandas is not installed.
        """
        return annotations_frame(self.workspace)

    def _repr_html_(self) -> str:
        """Where the project stands, for a notebook."""
        return project_inline(self.workspace)._repr_html_()

    def __repr__(self) -> str:
        return f"<Project {self.workspace.project.name!r} in {str(self.workspace.folder)!r}>"

    def report(self) -> str:
        """The report as one HTML document."""
        return report_html(self.workspace)

    def models(self) -> tuple[ModelLine, ...]:
        """Every model: what it learned from, its score, whether it is in use and why."""
        return list_models(self.workspace)

    def matrix(self, by: str = "", *, fill: bool = False) -> ModelMatrix:
        """What each model scores on each group of evaluation patients, and what was forgotten; see docs/continual.md.

        Args:
            by: Attribute of the cases, such as site or scanner; label, or date. Without one the first that tells cases apart.
            fill: Whether every model is first held against the annotations of today.

        Raises:
            InputError: No evaluation case has that attribute.
        """
        if fill:
            request_rejudging(self.workspace, actor="python")
            self.work()
        return model_matrix(self.workspace, by=by)

    def retention(self) -> Retention:
        """Which images are due by the setting `retention_days`, and which were removed."""
        return retention(self.workspace)

    def remove_due_images(self) -> RetentionReport:
        """Delete the images that are due; annotations, effort, audit and history of their cases stay.

        Raises:
            SettingError: The project has no retention rule.
            StateError: It can only be read.
        """
        return remove_due(self.workspace, actor="python")

    def drift(self, *, by: str = "", since: str = "") -> DriftReport:
        """Whether the unlabelled cases are still like those that the model in use was judged on; see `drift_report`.

        Raises:
            InputError: No model in use, no case to compare, or no such column.
            SettingError: A day that is none.
        """
        return drift_report(self.workspace, by=by, since=since)

    def adapt(self, *, by: str, value: str = "", way: str = "intensities") -> AdaptReport:
        """A candidate that is the model in use adapted to one group of cases; see `adapt_in_way`.

        Raises:
            InputError: No model, no such group, or too few cases.
            UnavailableError: A model whose networks are not in this process.
        """
        return adapt_in_way(self.workspace, by=by, value=value, way=way, actor="python")

    def federation_plan(self, file: str | Path) -> Plan:
        """Write what sites that cannot share images are to train together: labels, and the recipe of this project's images.

        Raises:
            SettingError: A setting that a federation does not know.
            InputError: No cases.
        """
        return write_plan(self.workspace, Path(file))

    def join_federation(
        self, server: str, *, name: str = "", secured: Secured | None = None, threads: int = 1, privacy: Privacy | None = None
    ) -> str:
        """Take part in a federation with this project until its result has come; what became of that, in words.

        Raises:
            SettingError: No such address, or one of another machine without a certificate.
            InputError: Flower's process ended.
            UnavailableError: There is no Flower.
        """
        return join_federation(self.workspace, server, say=print, name=name, secured=secured, threads=threads, privacy=privacy)

    def triage(self, *, risk: float = RISK, check: Check = "domain") -> Triage:
        """Which predictions need nobody, one person or two; see `triage_pool`.

        Raises:
            InputError: No evaluated model, or too few evaluated patients for the risk.
            SettingError: A risk outside 0..1.
        """
        return triage_pool(self.workspace, risk=risk, check=check)

    def use_model(self, index: int | None) -> Model:
        """Pin a model, so that it is in use whatever is trained later; None gives the choice back.

        Raises:
            NotFoundError: No such model.
        """
        if index is None:
            return use_automatic(self.workspace, actor="python")
        return use_model(self.workspace, index, actor="python")

    def release_model(self, index: int, *, why: str, signed_as: str) -> Model:
        """Put a candidate that the gate stopped to use, with a reason and a signature; see `medloop.loop.judging.releasing`.

        Raises:
            NotFoundError: No such model.
            StateError: It is in use already.
            InputError: No reason, or no name.
        """
        return release_model(self.workspace, index, why=why, signed_as=signed_as, actor="python")

    def refuse_model(self, index: int, *, why: str) -> Model:
        """Say that a candidate stays out of use, and end its trial; the model that stays in use.

        Raises:
            NotFoundError: No such model.
            StateError: It is no candidate.
            InputError: No reason.
        """
        return refuse_model(self.workspace, index, why=why, actor="python")

    def trials(self) -> tuple[TrialEffort, ...]:
        """The trials of candidates (setting `release_canary`): the work on their proposals against that on the model's in use."""
        return trial_efforts(self.workspace)

    def roll_back(self, index: int | None = None) -> Model:
        """Put the model that was in use before the present one to use again; `index` is the one that is to be out of use.

        Raises:
            StateError: There was none.
            ConflictError: Another model than that is in use by now.
        """
        return roll_back(self.workspace, actor="python", index=index)

    def export(
        self, out: str | Path, fmt: str, *, model: int | None = None, regular_grid: bool = False, source: str | Path | None = None
    ) -> ExportReport:
        """Write the annotations, or a model (the one in use by default), to a new folder; see `export_project`."""
        originals = None if source is None else Path(source)
        return export_project(self.workspace, Path(out), fmt, model=model, regular_grid=regular_grid, source=originals)

    def check_acquisition(
        self, images: str | Path | Sequence[str | Path] | None = None, *, demand: Demand | None = None, pixel_mm: float | None = None
    ) -> tuple[AcquisitionCheck, ...]:
        """Whether images are good enough or had better be acquired again, and why; nothing of them is stored.

        Args:
            images: One file or folder of a DICOM series, or several images; None for every case of the project, by name.
            demand: What is required of them; see `medloop.loop.overview.acquisition`.
            pixel_mm: Pixel size of pictures whose files have none.

        Raises:
            FormatError: A file is damaged, of no known format, or a segmentation.
            NotFoundError: No such file.
            InputError: An image unlike the project's in channels, slices or bit depth, or one that holds no picture.
        """
        if images is None:
            return tuple(one.check for one in check_cases(self.workspace, demand))
        checker = AcquisitionChecker(self.workspace, demand)
        given = [images] if isinstance(images, str | Path) else images
        return tuple(checker.check(image, pixel_mm=pixel_mm).check for image in given)

    def find_studies(self, query: PacsQuery, *, server: str = "") -> FoundStudies:
        """Studies of an archive that fit; see `archive_named` for the server.

        Raises:
            UnavailableError: It cannot be reached, or does not reply.
        """
        return archive_named(self.workspace, server)[1].studies(query)

    def pull(self, query: PacsQuery, *, server: str = "", bounds: PullBounds | None = None) -> PullReport:
        """Fetch and import every series of images of an archive that fits; see `medloop.loop.data.pacs_pull.pull`."""
        name, archive = archive_named(self.workspace, server)
        return pull(self.workspace, archive, name, query, bounds, actor="python")

    def push(self, fmt: str = "dicom-seg", *, server: str = "", cases: Iterable[str] = (), again: bool = False) -> PushReport:
        """Store annotations in the archive that their images came from; see `medloop.loop.data.pacs_push.push`."""
        name, archive = archive_named(self.workspace, server)
        return push(self.workspace, archive, Push(name, fmt, tuple(cases), again), actor="python")

    def _case(self, name: str) -> Case:
        with self.workspace.store.read() as tx:
            found = tx.find(Case, where={"name": name}, limit=1)
        if not found:
            raise NotFoundError(f"There is no case {name!r}", remedy="give its name as it was imported")
        return found[0]

    def _id(self, annotator: str) -> str:
        return annotator_named(self.workspace, annotator).id

    def close(self) -> None:
        """Release the database."""
        self.workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
