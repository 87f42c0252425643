"""Spoils what udeansr reads, value by value, and sees that every reader takes it or refuses it in one line.

    python benchmarks/reliability/fuzz.py --cases 20000 --seed 1

A file of each kind is made from the example and a tiny training. Each case changes one thing: a value, its type, a key,
a length, a byte. A reader may take the case (then it is used a step further) or raise ``UdeansrError`` with one line;
anything else is a fault. Status 1 if there was one.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import os
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from udeansr.benchmark.folder import BenchmarkSettings
from udeansr.cli.plan_and_preprocess import plan_and_preprocess
from udeansr.errors import UdeansrError
from udeansr.image.acquisition import image_contrast, slice_thickness_mm
from udeansr.inference.deployment import empty_method
from udeansr.methods import load_settings, parse_settings
from udeansr.models.description import ModelDescription
from udeansr.models.export import ExportSettings, export_model
from udeansr.models.model import load_model, load_model_file
from udeansr.models.model_file import read_description
from udeansr.planning.domain import Domain
from udeansr.planning.fingerprint import Fingerprint
from udeansr.planning.plan import Plan
from udeansr.planning.raw_dataset import load_raw_dataset
from udeansr.planning.training_size import training_memory
from udeansr.preprocessing.preprocessed_dataset import read_case
from udeansr.strict_json import read_json, read_json_as, write_json
from udeansr.training.run_folder import read_run
from udeansr.training.train import RunSettings, train

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example"
NAME, CONFIGURATION = "Dataset001_BrainT1w", "x2x2x2"
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 10001, 10**9, -(10**9), 10**30, 2**63, 0.5, -0.0, 1e-320, 1e30, 1e308, 1e400),
    *(float("nan"), float("-inf"), "", "x", "3", "\x1b[31m", "../..", "\u202e", "a\nb", "x" * 5000, [], {}),
    *([None], [0], [1.0] * 1000, [[]], {"a": 1}, {"name": {}}),
)
LARGEST_MODEL = 2**27
"""Weights of a plan that is taken: networks of more are not built, even without memory."""


def spoilt(values: Any, draw: random.Random) -> Any:
    """A copy of what JSON holds with one thing changed, anywhere in it."""
    values = copy.deepcopy(values)
    places: list[tuple[Any, Any]] = []

    def walk(inside: Any) -> None:
        items = inside.items() if isinstance(inside, dict) else enumerate(inside) if isinstance(inside, list) else ()
        for key, value in items:
            places.append((inside, key))
            walk(value)

    walk(values)
    if not places:
        return draw.choice(ODD)
    inside, key = draw.choice(places)
    kind = draw.randrange(10)
    if kind == 0 and isinstance(inside, dict):
        inside[draw.choice(["unknown", "", "\x07", key + "s"])] = inside[key]
    elif kind == 1:
        del inside[key]
    elif kind == 2 and isinstance(inside[key], int | float) and not isinstance(inside[key], bool):
        inside[key] = inside[key] * draw.choice([-1, 0, 1e-9, 1e9, 1e300])
    elif kind == 3 and isinstance(inside[key], list):
        inside[key] = inside[key] * draw.choice([0, 2, 50])
    else:
        inside[key] = copy.deepcopy(draw.choice(ODD))
    return values


def spoilt_text(values: Any, draw: random.Random) -> str:
    """The JSON of a spoilt copy; now and then cut, deep, or with a byte of another kind."""
    text = json.dumps(spoilt(values, draw))
    kind = draw.randrange(20)
    place = draw.randrange(len(text))
    if kind == 0:
        return text[:place]
    if kind == 1:
        return text[:place] + chr(draw.choice([0, 7, 27, 34, 92, 125, 0xFFFD])) + text[place + 1 :]
    return "[" * 5000 if draw.random() < 0.0005 else text


@dataclass(frozen=True)
class Reader:
    """What reads one kind of file.

    Attributes:
        spoil: writes a spoilt file and gives what the reader takes.
        read: reads it, and uses it a step further.
        share: of the cases that are asked for, as files differ in what reading one costs.
    """

    spoil: Callable[[random.Random], Any]
    read: Callable[[Any], object]
    share: float = 1.0


def of_json(source: Path, copied: Path, read: Callable[[Path], object], share: float = 1.0) -> Reader:
    """A reader of a JSON file, of which spoilt copies are written."""
    values = json.loads(source.read_text())

    def spoil(draw: random.Random) -> Path:
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(spoilt_text(values, draw), encoding="utf-8", errors="surrogatepass")
        return copied

    return Reader(spoil, read, share)


def use_plan(plan: Plan) -> None:
    """Count what each configuration takes, and build its networks without memory where they are not too large."""
    for name, configuration in plan.configurations.items():
        size = configuration.size
        training_memory(configuration.task, size)
        if size.features**2 * (1 + size.groups * size.blocks) * 30 < LARGEST_MODEL and size.groups * size.blocks < 200:
            empty_method("supervised", configuration, {})
        plan.of(name).as_dict()


def readers(folder: Path) -> dict[str, Reader]:
    """All readers, by the kind of file; files are made in a folder."""
    preprocessed, run, zipped = folder / "preprocessed", folder / "run", folder / "model.zip"
    with redirect_stdout(None):
        plan_and_preprocess([NAME], memory_gb=0, processes=1, raw=EXAMPLE, preprocessed=preprocessed, preprocess=True)
    home = preprocessed / NAME
    plan = Plan.load(home / "plans.json")
    configuration = plan.configuration(CONFIGURATION)
    size = replace(configuration.size, features=8, groups=1, blocks=1, batch_size=2)
    plan = replace(plan, configurations={CONFIGURATION: replace(configuration, size=size)})
    how = RunSettings(epochs=1, iterations_per_epoch=1, device="cpu", precision="fp32", validation_cases=1)
    settings = parse_settings("supervised", [])
    train(home, plan, CONFIGURATION, "supervised", settings, how, run, "overwrite")
    export_model(run / "final.pt", zipped, ExportSettings(name="fuzzed", contrast="T1w"))
    write_json(read_description(zipped).as_dict(), folder / "model.json")
    write_json(vars(settings), folder / "settings.json")
    write_json(BenchmarkSettings(("a", "b"), 1, 1, 1, 1, 0.0, 1, 1, None), folder / "benchmark.json")
    write_json({"Manufacturer": "A", "SliceThickness": 4, "ImageType": ["M"]}, folder / "sidecar.json")
    write_json({"name": "Brain", "bids": {}}, folder / "dataset.json")
    raw = folder / "raw" / NAME
    raw.mkdir(parents=True)
    for group in ("sourceHR", "targetLR"):
        (raw / group).symlink_to((EXAMPLE / NAME / group).absolute())
    case = next((home / CONFIGURATION / "sourceHR").glob("*/case.json"))
    at = folder / "spoilt"
    at.mkdir()
    for array in case.parent.glob("*.npy"):
        (at / array.name).symlink_to(array)
    image = at / "sub-01_T1w.nii.gz"
    state = torch.load(run / "final.pt", weights_only=True)

    def model(path: Path) -> None:
        use_plan(ModelDescription.from_dict(read_json(path, "model", "export it again"), str(path)).plan)

    def checkpoint(draw: random.Random) -> Path:
        values = dict(state)
        key = draw.choice(sorted(values))
        part = values[key]
        if isinstance(part, dict) and part and draw.random() < 0.7:
            inner = draw.choice(sorted(part, key=str))
            odd = draw.choice([*ODD, torch.zeros(1), torch.full((8, 8), float("nan"))])
            values[key] = {**part, inner: odd}
        else:
            values[key] = draw.choice(ODD)
        (at / "spoilt.pt").parent.mkdir(exist_ok=True)
        torch.save(values, at / "spoilt.pt")
        return at / "spoilt.pt"

    def bytes_of(source: Path) -> Callable[[random.Random], Path]:
        content = source.read_bytes()

        def spoil(draw: random.Random) -> Path:
            changed = bytearray(content)
            for _ in range(draw.choice([1, 1, 8])):
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            cut = draw.randrange(len(changed)) if draw.random() < 0.2 else len(changed)
            target = at / f"spoilt{source.suffix}"
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(changed[:cut])
            return target

        return spoil

    def words(draw: random.Random) -> list[str]:
        name = draw.choice([*vars(settings), "", "x", "alpha.beta"])
        return [draw.choice(["supervised.", "", "udean.", "."]) + name + draw.choice(["=", ""]) + str(draw.choice(ODD))]

    return {
        "plans.json": of_json(home / "plans.json", at / "plans.json", lambda path: use_plan(Plan.load(path))),
        "fingerprint.json": of_json(home / "fingerprint.json", at / "fingerprint.json", Fingerprint.load),
        "domain.json": of_json(home / "domain.json", at / "domain.json", Domain.load, 0.3),
        "dataset.json": of_json(folder / "dataset.json", raw / "dataset.json", lambda _: load_raw_dataset(raw), 0.3),
        "case.json": of_json(case, at / "case.json", lambda path: read_case(path.parent, "sourceHR")),
        "run.json": of_json(run / "run.json", at / "run.json", lambda path: read_run(path.parent)),
        "benchmark.json": of_json(
            folder / "benchmark.json", at / "benchmark.json",
            lambda path: read_json_as(BenchmarkSettings, path, "benchmark", "udeansr_benchmark"),
        ),
        "saved settings": of_json(
            folder / "settings.json", at / "settings.json",
            lambda path: load_settings("supervised", read_json(path, "settings", "mend it")),
        ),
        "--set": Reader(words, lambda said: parse_settings("supervised", said)),
        "BIDS sidecar": of_json(
            folder / "sidecar.json", at / "sub-01_T1w.json",
            lambda _: (image_contrast(image), slice_thickness_mm(image)),
        ),
        "model.json": of_json(folder / "model.json", at / "model.json", model, 0.5),
        "model zip, bytes": Reader(bytes_of(zipped), load_model_file, 0.05),
        "checkpoint, values": Reader(checkpoint, load_model, 0.02),
        "checkpoint, bytes": Reader(bytes_of(run / "final.pt"), load_model, 0.02),
    }  # fmt: skip


def outcome(reader: Reader, draw: random.Random) -> str:
    """One case: "taken", "refused", or the fault in a line."""
    given = reader.spoil(draw)
    try:
        reader.read(given)
    except UdeansrError as error:
        lines = str(error).splitlines()
        if len(lines) > 1 or "Traceback" in str(error) or "\x1b" in str(error):
            return f"refused in {len(lines)} lines: {str(error)[:300]!r}"
        return "refused"
    except Exception as error:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        where = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last else ""
        return f"{type(error).__name__}: {str(error)[:120]!r} at {where}"
    return "taken"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000, help="of each kind of file, fewer where reading is slow")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="kinds of files")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    os.environ["UDEANSR_MODELS"] = tempfile.mkdtemp()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        print("| file | cases | taken | refused in one line | faults |\n|---|---|---|---|---|")
        for name, reader in readers(Path(folder)).items():
            if options.only and name not in options.only:
                continue
            draw, count = random.Random(f"{options.seed} {name}"), max(1, round(options.cases * reader.share))
            seen = Counter(outcome(reader, draw) for _ in range(count))
            taken, refused = seen.pop("taken", 0), seen.pop("refused", 0)
            print(f"| {name} | {count} | {taken} | {refused} | {sum(seen.values())} |", flush=True)
            faults += sum(seen.values())
            for fault, times in seen.most_common(8):
                print(f"    {times} x {fault}", file=sys.stderr, flush=True)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
