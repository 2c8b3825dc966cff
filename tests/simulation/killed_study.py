"""A study that kills itself: run as a program with (design.json, out, moment). Not a test."""

import os
import signal
import sys
from pathlib import Path

from medloop.loop.control import JobControl
from medloop.simulation import oracle
from medloop.simulation.design import StudyDesign
from medloop.simulation.files import read_json
from medloop.simulation.runs import run_study


class Countdown:
    """Kills this process at the n-th call."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def tick(self) -> None:
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str) -> None:
    countdown = Countdown({"answering": 4, "training": 9, "evaluating": 2}[moment])
    if moment == "answering":
        submit = oracle.submit_mask

        def submit_and_tick(*args, **named):
            countdown.tick()
            return submit(*args, **named)

        oracle.submit_mask = submit_and_tick
        return
    report, kind = JobControl.report, {"training": "train", "evaluating": "evaluate"}[moment]

    def report_and_tick(self, progress, message):
        if self.job.kind == kind:
            countdown.tick()
        report(self, progress, message)

    JobControl.report = report_and_tick


if __name__ == "__main__":
    arm(sys.argv[3])
    run_study(StudyDesign.from_json(read_json(Path(sys.argv[1]))), Path(sys.argv[2]))
