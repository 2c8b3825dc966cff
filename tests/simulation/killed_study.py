"""A study that kills itself: run as a program with (design.json or study.toml, out, moment). Not a test."""

import os
import signal
import sys
from pathlib import Path

from medloop.loop.foundation.job_control import JobControl
from medloop.simulation import oracle, suite_runs
from medloop.simulation.design import StudyDesign
from medloop.simulation.files import read_json
from medloop.simulation.runs import run_study
from medloop.simulation.suite import read_suite


class Countdown:
    """Kills this process at the n-th call."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def tick(self) -> None:
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str) -> None:
    countdown = Countdown({"answering": 4, "training": 9, "evaluating": 2, "sharing": 3}[moment])
    if moment == "sharing":  # suite.json, the first study's results.json, then the copied import's setup.json
        write = suite_runs.write_json

        def tick_and_write(*args):
            countdown.tick()
            write(*args)

        suite_runs.write_json = tick_and_write
        return
    if moment == "answering":
        submit = oracle.submit

        def submit_and_tick(*args, **named):
            countdown.tick()
            return submit(*args, **named)

        oracle.submit = submit_and_tick
        return
    report, kind = JobControl.report, {"training": "train", "evaluating": "evaluate"}[moment]

    def report_and_tick(self, progress, message):
        if self.job.kind == kind:
            countdown.tick()
        report(self, progress, message)

    JobControl.report = report_and_tick


if __name__ == "__main__":
    arm(sys.argv[3])
    asked, out = Path(sys.argv[1]), Path(sys.argv[2])
    if asked.suffix == ".toml":
        suite_runs.run_suite(read_suite(asked), out)
    else:
        run_study(StudyDesign.from_json(read_json(asked)), out)
