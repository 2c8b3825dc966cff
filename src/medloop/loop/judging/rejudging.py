"""The job that holds every model against the evaluation annotations of today, so that older and newer ones can be compared group by group.

It changes no choice of the model in use: that is made when a model is trained.
"""

from medloop.core.names import counted
from medloop.core.records import Json, Model
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation import PredictCases, bring_up_to_date
from medloop.loop.judging.pool_predictions import predict_cases


def run_rejudging(workspace: Workspace, control: JobControl) -> Json:
    """Bring the evaluations of every model up to date; a killed job goes on where it was."""
    with workspace.store.read() as tx:
        models = tx.find(Model, order=("index",))
    left_out, renewed = LeftOut(workspace, control.log), 0
    for number, model in enumerate(models):
        control.report(number / len(models), f"holding model {model.index} against the evaluation cases")
        renewed += bool(bring_up_to_date(workspace, model, control.log, _predicting(workspace, model, control), left_out))
    control.log(f"{counted(renewed, 'model')} of {len(models)} held against newer annotations")
    return {"models": len(models), "renewed": renewed, **left_out.result()}


def _predicting(workspace: Workspace, model: Model, control: JobControl) -> PredictCases:
    return lambda cases: predict_cases(workspace, model, cases, control)
