"""The gate on a classification: right or wrong classes, the Brier score, and a class that the newer model has not learned."""

from pathlib import Path

from medloop.core.records import Prediction, Source, new_id, now
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.label_versions import NOT_LEARNED
from medloop.loop.foundation.workspace import Workspace

from .conftest import FAST
from .made_up import case_named
from .releases import configured, evaluated, trained
from .test_live_models import line, live

TESTS = [f"case{n:02d}" for n in range(2, 9)]


def test_classes_are_judged_with_their_calibration_and_a_class_that_was_lost_stops_a_model(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "p", name="p", kind="classification", labels=["benign", "malignant"], settings=FAST)
    teacher = annotator_named(workspace, "import", program=True)
    for n in range(9):
        source = Source(format="phantom", names=(f"{n}",), sha256=f"{n:064d}")
        new = NewCase(name=f"case{n:02d}", patient=f"p{n}", split="train" if n < 2 else "test", source=source)
        add_case(workspace, phantom_3d(n, 1, (24, 24, 16)).image, new, Incoming(n % 2, teacher))
    configured(workspace, release="gate")
    models = [trained(workspace, 1)]
    evaluated(workspace, models[0], {name: {"correct": 1.0} for name in TESTS})
    models.append(trained(workspace, 2))
    for model, sure in zip(models, (0.9, 0.6), strict=True):
        for name in TESTS:
            case = case_named(workspace, name)
            right = int(name[4:]) % 2
            chances = (1 - sure, sure) if right else (sure, 1 - sure)
            with workspace.store.write("worker") as tx:
                tx.add(
                    Prediction(
                        id=new_id("prediction"),
                        case_id=case.id,
                        model_id=model.id,
                        mask=None,
                        uncertainty=None,
                        probabilities=chances,
                        features=None,
                        scores={},
                        created_at=now(),
                    )
                )
    evaluated(workspace, models[1], {name: {"correct": 1.0} for name in TESTS})
    assert live(workspace) == 1
    assert "calibration, Brier score: -0.300 on 7 patients" in line(workspace, 2).note
    evaluated(workspace, trained(workspace, 3, **{NOT_LEARNED: [1]}), {name: {"correct": 1.0} for name in TESTS})
    assert "label malignant: the model in use has learned it, the newer one has not: lost" in line(workspace, 3).note
    evaluated(workspace, trained(workspace, 4), {name: {"correct": 1.0} for name in TESTS})
    assert live(workspace) == 4
    workspace.close()
