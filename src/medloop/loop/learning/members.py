"""The networks of a model, trained one after the other in this process, or at once by the workers of the project's executor."""

from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.errors import StateError
from medloop.core.records import Job, Json, Snapshot
from medloop.execution.executor import Task
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.job_control import QuietControl
from medloop.loop.foundation.shards import Shared
from medloop.loop.learning.begun import Begun
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.prepared import Prepared, prepare

if TYPE_CHECKING:
    from medloop.models.training.train import Trained


def train_all(begun: Begun, made: Prepared) -> "Trained":
    """Train every member of a training, or what is left of them; the weights do not depend on where."""
    from medloop.models.training.train import Trained, summarise, train_members

    workspace, members = begun.workspace, made.run.recipe.members
    if workspace.executor.is_here or members == 1:
        return train_members(made.run)
    done = dict[str, tuple[Path, Json]]()

    def check() -> None:
        begun.control.report(len(done) / members, f"training {members} members {workspace.executor.words} ({len(done)} are trained)")

    folder = begun.plan.folder.resolve()
    sent = (Shared.of(workspace), begun.control.job, folder, begun.control.threads)
    tasks = [Task(f"member {n + 1} of {members}", train_one, (*sent, n)) for n in range(members)]
    for found in workspace.executor.run(tasks, check=check):
        done[found.key] = found.result
    files = [done[task.key] for task in tasks]
    return Trained(tuple(file for file, _ in files), summarise([metrics for _, metrics in files]))


def train_one(shared: Shared, job: Job, folder: Path, threads: int, member: int) -> tuple[Path, Json]:
    """What a worker does: prepare the training again from its plan, and train one of its members from the last checkpoint.

    Raises:
        StateError: The training has not begun.
    """
    from medloop.models.training.train import train_member

    workspace, plan = shared.open(), TrainingPlan(folder)
    begun_with = plan.decided("snapshot")
    if begun_with is None:
        raise StateError(f"The training in {folder.name} has not begun, so its members cannot be trained")
    snapshot = workspace.store.get(Snapshot, begun_with["snapshot_id"])
    control = QuietControl(workspace, job, threads=threads)
    return train_member(prepare(Begun(workspace, control, plan, LeftOut(workspace), snapshot)).run, member)
