"""Change valid files at random, and see that each reader takes them or refuses them in one line.

    python benchmarks/reliability/fuzz.py --cases 20000 --seed 0

For each reader: cases, accepted, refused in one line, faults. The status is 1 if there was a fault: another exception
than UdeansrError, a message of several lines or with signs that are no text.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import udeansr
from udeansr.benchmark.folder import BenchmarkSettings
from udeansr.errors import UdeansrError
from udeansr.image.volume import Geometry
from udeansr.methods import parse_settings
from udeansr.models.description import ModelDescription
from udeansr.models.model_file import read_description
from udeansr.planning.plan import Plan
from udeansr.planning.raw_dataset import About, BidsGroup
from udeansr.planning.training_size import training_memory
from udeansr.preprocessing.case_folder import CaseRecord
from udeansr.strict_json import as_json, read_json, read_json_as
from udeansr.training.computed import Computed
from udeansr.training.run_folder import RunFile
from udeansr.training.settings import RunSettings

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2, 10**9, 10**30, 1e-320, 1e308, float("nan"), float("inf"), 0.5, -0.0),
    *("", "a", "\x1b[31m", "\ud800", "1", [], {}, [1], {"a": 1}, [[[]]], "x" * 10_000),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (list or object, index or key) in a value."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def mutated(value: Any, rng: random.Random) -> bytes:
    """A valid value as JSON, with one to three changes."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = places(value)
        if not found:
            break
        holder, key = rng.choice(found)
        what = rng.randrange(8)
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(holder, dict):
            holder[f"{key}_"] = rng.choice(ODD)
        elif what == 2 and isinstance(holder[key], int | float):
            holder[key] *= rng.choice((-1, 2, 10, 1e9, 1e-9))
        else:
            holder[key] = rng.choice(ODD)
    content = bytearray(json.dumps(value).encode())
    what = rng.randrange(20)
    if what == 0:
        del content[rng.randrange(len(content)) :]
    elif what == 1:
        content[rng.randrange(len(content))] = rng.randrange(256)
    elif what == 2:
        content = bytearray(b"[" * rng.choice((10, 2000, 100_000)) + content)
    return bytes(content)


def read_plan(path: Path) -> None:
    """Read a plan, and ask of it what planning and prediction ask."""
    plan = Plan.load(path)
    for configuration in plan.configurations.values():
        training_memory(configuration.task, configuration.size)
        plan.of(configuration.name).fits(Geometry((8, 8, 8), (1.0, 1.0, 1.0)), configuration)
    plan.as_dict()


def readers() -> dict[str, tuple[Any, Callable[[Path], Any]]]:
    """A valid file and its reader, by name."""
    model = read_description(sorted(Path(udeansr.__file__).parent.rglob("*.zip"))[0])
    geometry = Geometry((8, 8, 8), (1.0, 1.0, 1.0))
    measured = (model.plan.degradation,) if model.plan.degradation else ()
    run = RunFile("1", "Dataset001_A", "x2x2x1", "udean", {}, RunSettings(), Computed("cpu", "fp32"))
    case = CaseRecord(geometry, 1.0, 1.0, measured=measured, sources={"a": {"bytes": 1}}, cut_from=geometry)
    about = About("a", "b", "T1w", bids={"targetLR": BidsGroup("../bids", "T1w", ("01",), {"ses": "1"})})
    kinds: dict[str, Any] = {
        "dataset.json": about, "run.json": run, "case.json": case,
        "benchmark.json": BenchmarkSettings(("a", "b"), 1, 2, epochs=3, budget_seconds=2.0),
    }  # fmt: skip
    if model.domain is not None:
        kinds["domain.json"] = model.domain
    strict = {
        name: (as_json(record), partial(read_json_as, type(record), noun="file", remedy="make it"))
        for name, record in kinds.items()
    }
    words = {"words": ["udean.lambda_da=0.1", "udean.beta=0.01"]}
    return {
        "plans.json": (model.plan.as_dict(), read_plan),
        "model.json": (
            model.as_dict(),
            lambda path: ModelDescription.from_dict(read_json(path, "model", "make it"), str(path)),
        ),
        "settings": (words, lambda path: parse_settings("udean", typed(path))),
        **strict,
    }


def typed(path: Path) -> list[str]:
    """The words of a file, as a shell would give them."""
    values = read_json(path, "words", "type them")
    given = values.get("words") if isinstance(values, dict) else values
    return [str(word) for word in given] if isinstance(given, list) else [str(given)]


def fuzz(valid: Any, read: Callable[[Path], Any], cases: int, rng: random.Random) -> tuple[Counter[str], list[str]]:
    """Change and read a file so many times; how often what happened, and the faults."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.json"
        for _ in range(cases):
            content = mutated(valid, rng)
            path.write_bytes(content)
            try:
                read(path)
                counts["accepted"] += 1
            except UdeansrError as error:
                one_line = "\n" not in str(error)
                counts["refused" if one_line else "FAULT"] += 1
                if not one_line:
                    faults.append(f"several lines: {error!r:.300}")
            except Exception as error:  # which is what is looked for
                counts["FAULT"] += 1
                faults.append(f"{error!r:.300} of {content[:200]!r}")
    return counts, faults


def main() -> int:
    """Fuzz all readers, or one."""
    summary = __doc__.splitlines()[0] if __doc__ else ""
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--cases", type=int, default=10_000, help="of each reader")
    parser.add_argument("--only", help="one reader")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    faulty = False
    for name, (valid, read) in readers().items():
        if args.only not in (None, name):
            continue
        counts, faults = fuzz(valid, read, args.cases, random.Random(f"{args.seed} {name}"))
        told = " | ".join(f"{counts[key]} {key}" for key in ("accepted", "refused", "FAULT"))
        print(f"{name}: {args.cases} cases | {told}", flush=True)
        for fault in list(dict.fromkeys(fault[:80] for fault in faults))[:5]:
            print("   ", fault)
        faulty |= bool(faults)
    return int(faulty)


if __name__ == "__main__":
    sys.exit(main())
