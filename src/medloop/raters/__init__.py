"""Several annotations of one case: one truth, the skill of each annotator, and which annotations are suspect. See docs/raters.md.

Names are imported from their modules at first use.
"""

import importlib

_HOMES = {
    "CaseReader": "routing",
    "ClassScale": "case_quality",
    "Fused": "fused",
    "FusedCases": "staple_fusion",
    "FusedMask": "fused_mask",
    "LabelSkill": "mask_skill",
    "MaskScale": "case_quality",
    "MaskSkill": "mask_skill",
    "Plan": "routing",
    "Prior": "confusion",
    "Rate": "mask_skill",
    "Skill": "fused",
    "SkillEstimate": "skill_prior",
    "Standing": "case_quality",
    "Suspect": "suspects",
    "Window": "windows",
    "alpha_by_class": "kappa",
    "alpha_over_time": "windows",
    "arrays_on_one_grid": "stack",
    "best_plan": "routing",
    "classes_standing": "case_quality",
    "cohen_kappa": "kappa",
    "confident_joint": "suspects",
    "dawid_skene": "class_fusion",
    "edge_strengths": "edges",
    "estimate_skill": "skill_prior",
    "fleiss_kappa": "kappa",
    "glad": "glad_fusion",
    "krippendorff_alpha": "kappa",
    "locally_weighted": "local_fusion",
    "majority": "class_fusion",
    "majority_mask": "mask_votes",
    "masks_standing": "case_quality",
    "no_surer_than": "case_quality",
    "mean_of_pairs": "pairs",
    "mean_over_time": "windows",
    "pairwise_dice": "pairs",
    "pairwise_hd95_mm": "pairs",
    "pool_skills": "staple_fusion",
    "relabel_score": "routing",
    "shape_based": "shape_fusion",
    "simple_fusion": "mask_votes",
    "skill_by_image": "edges",
    "staple": "staple_fusion",
    "staple_cases": "staple_fusion",
    "suspect_annotations": "mask_suspects",
    "suspect_classes": "suspects",
    "suspect_masks": "mask_suspects",
    "suspect_votes": "suspects",
    "weighted_majority": "class_fusion",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'medloop.raters' has no attribute {name!r}")
    return getattr(importlib.import_module(f"medloop.raters.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
