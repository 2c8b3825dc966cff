"""One task from its first answers to its last: what a strategy is worth, measured."""

from collections.abc import Sequence

import numpy as np

from medloop.core.arrays import ClassSamples, FloatArray, IntArray
from medloop.query.pool import Pool
from medloop.query.scores import entropy
from medloop.query.strategy import Strategy
from toy_learner import held_out_accuracy, held_out_loss, learn, mean_answers, sampled_answers
from toy_tasks import ToyTask


class Episode:
    """A toy task with some cases answered; the learner is up to date after every answer.

    Args:
        task: The task.
        rng: Source of the first answers and of the learner's draws.
        start: How many cases are answered at first, at least one of each class that the pool has.

    Attributes:
        labelled: Indices of the answered cases.
        samples: The learner's samples of the pool, shape (samples, cases, classes).
        loss: Brier score on the test cases.
        accuracy: Share of right answers on the test cases.
    """

    def __init__(self, task: ToyTask, rng: np.random.Generator, *, start: int) -> None:
        self.task = task
        self._rng = rng
        self.labelled = first_answers(task.classes, start, rng)
        self._learn()

    def answer(self, indices: Sequence[int]) -> None:
        """Reveal the classes of these cases and learn from them."""
        self.labelled = np.append(self.labelled, np.asarray(indices, dtype=np.intp))
        self._learn()

    def open_cases(self) -> IntArray:
        """Indices of the cases that are not answered, ascending."""
        return np.setdiff1d(np.arange(len(self.task.classes)), self.labelled)

    def pool(self) -> Pool:
        """The open cases as a strategy sees them."""
        left = self.open_cases()
        samples = self.samples[:, left]
        ids = tuple(f"{n:06d}" for n in left)
        classes = self.task.classes[self.labelled].astype(np.float64)
        scores = {"entropy": entropy(samples.mean(axis=0))}
        return Pool(
            ids, scores, self.task.features[left], self.task.features[self.labelled], labelled={"classes": classes}, samples=samples
        )

    def gain(self, index: int) -> float:
        """By how much the loss would fall if this case were answered, without answering it."""
        learned = learn(self.task, np.append(self.labelled, index))
        return self.loss - held_out_loss(self.task, mean_answers(learned, self.task.test_features))

    def _learn(self) -> None:
        learned = learn(self.task, self.labelled)
        self.samples: ClassSamples = sampled_answers(learned, self.task.features, self._rng)
        answers = mean_answers(learned, self.task.test_features)
        self.loss, self.accuracy = held_out_loss(self.task, answers), held_out_accuracy(self.task, answers)


def first_answers(classes: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Random cases, one of each class first and at least that many, shape (max(count, classes),)."""
    order = rng.permutation(len(classes))
    firsts = np.array([order[np.argmax(classes[order] == c)] for c in np.unique(classes)], dtype=np.intp)
    others = order[~np.isin(order, firsts)]
    return np.concatenate([firsts, others[: max(0, count - len(firsts))]])


def learning_curve(strategy: Strategy, task: ToyTask, rng: np.random.Generator, *, start: int, rounds: int, batch: int = 1) -> FloatArray:
    """Test accuracy after every round of a strategy.

    Args:
        strategy: Needs features, samples, entropy and classes at most.
        task: The task.
        rng: Source of the first answers, the learner's draws and the strategy's; equal seeds give equal first answers.
        start: Cases answered at first.
        rounds: How many rounds.
        batch: Cases per round.

    Returns:
        Shape (rounds,), each 0..1.
    """
    first, choosing = rng.spawn(2)
    episode, reached = Episode(task, first, start=start), []
    for _ in range(rounds):
        left = episode.open_cases()
        episode.answer([int(left[p.index]) for p in strategy.select(episode.pool(), batch, choosing)])
        reached.append(episode.accuracy)
    return np.array(reached)
