"""The settings of a project in groups, as the settings page and `medloop configure` show them."""

from collections.abc import Mapping
from types import MappingProxyType

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Queries": (
            "strategy", "first_strategy", "cold_start", "batch_size", "start_size", "query_unit", "query_label", "query_parts", "template",
            "stream", "stream_budget",
        ),
        "Division of patients": ("validation_fraction", "test_fraction", "audit_fraction"),
        "Training": ("learner", "train_after", "train_minutes", "train_steps", "members", "pretraining", "warm_start", "seed"),
        "Weak, missing and wrong annotations": (
            "unlabelled", "robust", "mark_weights", "bias_correction", "correction_weight", "annotator_model", "targets",
            "explanation_penalty",
        ),
        "Continual learning": ("learn_group", "replay_cases", "replay_choice", "ewc", "distillation"),
        "Uncertainty and calibration": ("samples", "uncertainty_source", "aggregation", "calibration"),
        "Proposals and prompts": ("proposals", "interactive_network", "any_label", "adaptation", "prompt_engine", "prompt_encoding"),
        "Readings and review": ("readings", "read_twice", "blind", "consensus", "minimum_agreement", "review"),
        "Routing, gold cases and tutorial": ("routing", "sure_enough", "case_worth", "gold_rate", "tutorial", "tutorial_score"),
        "Stopping": ("budget_labels", "budget_minutes", "budget_money", "target_score"),
        "Release of models": ("release", "release_margin", "release_group_margin", "release_slowdown", "release_canary"),
        "Acceptance without a look": ("stream_risk", "stream_sure", "stream_good", "stream_labels", "stream_hard", "stream_audit"),
        "Images and privacy": ("identifiers", "case_names", "objects", "retention_days", "retention_by_worker"),
    }
)  # fmt: skip
"""Names of settings by the group's title, each in one group, in the order in which people are shown them."""
