"""Planning a dataset on disk: measure, then keep the plan that is there or make one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from udeansr.errors import UdeansrError
from udeansr.planning.domain import DOMAIN_FILE
from udeansr.planning.fingerprint import FINGERPRINT_FILE, Fingerprint, extract_fingerprints
from udeansr.planning.plan import PLANS_FILE, Plan
from udeansr.planning.planner import make_plans
from udeansr.planning.raw_dataset import RawDataset

EARLIER_PLANS_FILE = "plans_earlier.json"


@dataclass(frozen=True)
class PlannedDataset:
    """What planning left in a folder.

    Attributes:
        fingerprints: as they lie there now: one, or of a mixed cohort one for each protocol, by configuration.
        plan: as it lies there now.
        kept: whether the plan was there before, with what was edited in it.
        earlier: where the plan lies that was replaced; None if there was none.
    """

    fingerprints: dict[str, Fingerprint]
    plan: Plan
    kept: bool
    earlier: Path | None = None


def plan_dataset(
    raw: RawDataset, folder: Path, memory_gb: float | None, *, processes: int, again: bool = False
) -> PlannedDataset:
    """Check and measure a dataset and see to its plan.

    A plan is kept as long as the images do not change, since a person may have edited it. Call it while the folder is
    locked.

    Args:
        raw: the dataset.
        folder: ``<preprocessed root>/<dataset>``, made if it is missing.
        memory_gb: what a training may take of the GPU's memory; None for a training on a CPU.
        processes: worker processes that read the images.
        again: make a new plan in any case.
    Raises:
        UdeansrError: with every fault of the dataset, or if the plan that is kept cannot be read.
    """
    measured = extract_fingerprints(raw, processes)
    plans, in_one = folder / PLANS_FILE, len(measured[0][0].cases) == sum(map(len, raw.groups.values()))
    made = make_plans([fingerprint for fingerprint, _ in measured], memory_gb, mixed=len(measured) > 1 or not in_one)
    names = list(made.configurations)
    fingerprints = dict(zip(names, (fingerprint for fingerprint, _ in measured), strict=True))
    domains = dict(zip(names, (domain for _, domain in measured), strict=True))
    if plans.is_file() and not again and _are_saved(fingerprints, folder, made):
        plan, earlier = Plan.load(plans), None
    else:
        plan, earlier = made, folder / EARLIER_PLANS_FILE if plans.is_file() else None
        # In this order, so that a plan never lies beside the fingerprint of other images, wherever this is stopped.
        if earlier is not None:
            plans.replace(earlier)
        for name, fingerprint in fingerprints.items():
            fingerprint.save(facts_folder(folder, made, name) / FINGERPRINT_FILE)
        plan.save(plans)
    for name, domain in domains.items():
        domain.save(facts_folder(folder, made, name) / DOMAIN_FILE)
    return PlannedDataset(fingerprints, plan, kept=plan is not made, earlier=earlier)


def facts_folder(folder: Path, plan: Plan, name: str) -> Path:
    """Where fingerprint and domain of a configuration lie: beside the plan, or where it has a protocol of its own.

    Args:
        folder: ``<preprocessed root>/<dataset>``.
        plan: of the dataset.
        name: of the configuration.
    """
    while (parent := plan.configuration(name).inherits_from) is not None:
        name = parent
    return folder if plan.configuration(name).protocol is None else folder / name


def _are_saved(fingerprints: dict[str, Fingerprint], folder: Path, plan: Plan) -> bool:
    """Whether these very fingerprints lie in a folder; a file that cannot be read holds another."""
    try:
        return all(
            Fingerprint.load(facts_folder(folder, plan, name) / FINGERPRINT_FILE) == fingerprint
            for name, fingerprint in fingerprints.items()
        )
    except UdeansrError:
        return False
