"""medloop: human-in-the-loop deep learning for medical images.

The names below are the public surface; each is imported from its own module at first use, so that
`import medloop` costs nothing and only training and prediction bring in torch.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "Annotation": "core.records",
    "Annotator": "core.records",
    "Assignment": "core.records",
    "Case": "core.records",
    "Evaluation": "core.records",
    "Grid": "core.geometry",
    "Image": "core.image",
    "Label": "core.records",
    "Mask": "core.image",
    "MeasurementRequest": "loop.annotating.measuring",
    "MedloopError": "core.errors",
    "Model": "core.records",
    "Pick": "query.strategies",
    "Pool": "query.strategies",
    "Prediction": "core.records",
    "Predictor": "models.inference.predict",
    "Project": "loop.project",
    "ProjectSettings": "core.records",
    "Query": "core.records",
    "Recipe": "models.foundation.recipes",
    "Round": "core.records",
    "Strategy": "query.strategies",
    "Task": "core.records",
    "TaskChange": "loop.foundation.configuring",
    "Workspace": "loop.foundation.workspace",
    "bootstrap_mean": "metrics.intervals",
    "choose_recipe": "models.foundation.recipes",
    "dice": "metrics.overlap",
    "entropy": "query.scores",
    "export_project": "loop.data.exporting",
    "from_classifier": "query.on_arrays",
    "from_torch": "models.inference.passes",
    "import_dataset": "loop.data.importing",
    "least_confidence": "query.scores",
    "margin": "query.scores",
    "mutual_information": "query.scores",
    "open_dataset": "datasets.discover",
    "phantom_3d": "images.phantoms",
    "predict_with_file": "loop.data.alone",
    "read_image": "images.read",
    "read_mask": "images.read",
    "strategies": "query.strategies",
    "strategy": "query.strategies",
    "train": "models.training.train",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'medloop' has no attribute {name!r}")
    return getattr(importlib.import_module(f"medloop.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
