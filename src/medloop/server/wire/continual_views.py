"""The matrix of models and groups, and the retention rule, as the page shows them."""

from medloop.server.wire.views import Number, View


class FigureView(View):
    """A mean over patients with its interval; without one, `note` says why."""

    mean: Number
    low: Number
    high: Number
    groups: int
    note: str


class MatrixRowView(View):
    """One model on every group; null where it was held against none of its cases; `outdated` where annotations came since."""

    model: int
    live: bool
    cells: list[FigureView | None]
    outdated: bool


class TransfersView(View):
    """What became of one group: since it was learned, against the best model, and before it was learned; or why that is not known."""

    backward: FigureView | None
    forgetting: FigureView | None
    forward: FigureView | None
    note: str


class MatrixView(View):
    """Every model on every group of evaluation patients; `first` is the first model that learned cases of a group, 0 for none."""

    by: str
    metric: str
    groups: list[str]
    first: list[int]
    rows: list[MatrixRowView]
    transfers: list[TransfersView]
    backward: Number
    forgetting: Number
    forward: Number
    remembering: Number
    offered: list[str]
    notes: list[str]


class DueImageView(View):
    """An image that is to be removed, and who has its case open, which keeps it for now."""

    case_id: str
    name: str
    added_at: str
    due_at: str
    open_with: list[str]


class RemovedImageView(View):
    """A case whose image was removed."""

    case_id: str
    name: str
    note: str


class RetentionView(View):
    """How the retention rule stands: the setting in days (0 keeps images for ever), what is due, what was removed, and what is due next.

    `files` counts files from archives that became no case and are due.
    """

    days: int
    by_worker: bool
    due: list[DueImageView]
    removed: list[RemovedImageView]
    next_due: str
    files: int


class RetentionReportView(View):
    """What was removed, how many bytes that freed, what is open still, and cases whose very same image another case needs.

    `files` counts files from archives that had become no case.
    """

    removed: list[str]
    freed: int
    waiting: list[DueImageView]
    shared: list[str]
    files: int
