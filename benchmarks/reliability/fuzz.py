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
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from udeansr.benchmark import detailed_table
from udeansr.benchmark.budget import load_length
from udeansr.benchmark.dataset import given_scenario
from udeansr.benchmark.folder import BenchmarkSettings
from udeansr.benchmark.row_result import METRICS, RowIdentity, RowResult, Training
from udeansr.benchmark.rows import ROWS
from udeansr.benchmark.scenario import DEGRADATIONS, Scenario
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
from udeansr.planning.summary import fingerprint_table
from udeansr.planning.training_size import training_memory
from udeansr.preprocessing.preprocessed_dataset import PreprocessedDataset, read_case
from udeansr.report import case_report
from udeansr.report.benchmark_page import benchmark_warnings
from udeansr.report.training_page import training_charts, training_warnings
from udeansr.strict_json import read_json, read_json_as, read_json_object, write_json
from udeansr.training.checkpoint import load_checkpoint
from udeansr.training.log import draw_progress, read_epochs
from udeansr.training.run_folder import read_run
from udeansr.training.timing import Length
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

    def of_lines(source: Path, copied: Path, read: Callable[[Path], object], share: float) -> Reader:
        lines = source.read_text().splitlines()

        def spoil(draw: random.Random) -> Path:
            place = draw.randrange(len(lines))
            text = spoilt_text(json.loads(lines[place]), draw)
            copied.write_text("\n".join([*lines[:place], text, *lines[place + 1 :]]), errors="surrogatepass")
            return copied

        return Reader(spoil, read, share)

    def going_on(draw: random.Random) -> Path:
        resumed = folder / "resumed"
        shutil.copytree(run, resumed, dirs_exist_ok=True)
        (resumed / "final.pt").unlink(missing_ok=True)
        values = copy.deepcopy(state)
        places = [(values, key) for key in ("optimizers", "scaler", "schedule", "random", "progress")]
        for _ in range(5):
            inner = [(one[key], deeper) for one, key in places if isinstance(one[key], dict) for deeper in one[key]]
            inner += [(one[key], n) for one, key in places if isinstance(one[key], list) for n in range(len(one[key]))]
            places += [place for place in inner if not any(place[0] is one and place[1] == key for one, key in places)]
            if draw.random() < 0.3:
                break
        inside, key = draw.choice(places)
        odd = draw.choice([*ODD, torch.zeros(1), torch.full((8, 8), float("nan"))])
        if draw.random() < 0.2 and isinstance(inside, dict):
            del inside[key]
        else:
            inside[key] = odd
        torch.save(values, resumed / "latest.pt")
        return resumed

    def go_on(resumed: Path) -> None:
        longer = replace(how, epochs=2)
        train(home, plan, CONFIGURATION, "supervised", settings, longer, resumed, "continue")
        load_checkpoint(resumed / "final.pt")

    def epochs(path: Path) -> None:
        history = read_epochs(path)
        training_charts(history)
        if history:
            training_warnings(history)
            draw_progress(history, at / "progress.png")

    def row(path: Path) -> None:
        result = RowResult.load(path)
        detailed_table.markdown({(result.dataset, result.split): [result]}, "")
        detailed_table.numbers({(result.dataset, result.split): [result]})
        benchmark_warnings([result])

    noise = np.random.default_rng(0).random((24, 24, 24), dtype=np.float32)

    def domain(path: Path) -> None:
        read = Domain.load(path)
        read.widened([read.measure(noise, (2.0, 2.0, 2.0))])

    def prepared(path: Path) -> None:
        for group in ("sourceHR", "targetLR"):
            PreprocessedDataset.open(path.parents[1], configuration).cases(group)

    cases = {"sub-1": dict.fromkeys(METRICS, 1.0), "sub-2": dict.fromkeys(METRICS, 2.0)}
    subjects = {"source": ["a"], "target": ["b"], "validation": ["c"], "test": ["sub-1", "sub-2"]}
    RowResult(
        ROWS["udean"], "Dataset692", Scenario("x2x2x2", "unpaired", "shifted", 1), "test",
        RowIdentity("udean", {}, subjects, "x2x2x2", {}, {}), Training(6, 1.0, 9, "best", "cpu", "fp32"), 1.0, cases,
    ).save(folder / "row.json")  # fmt: skip
    write_json(Length(9.0, 0.1, 8, 11), folder / "length.json")
    simulated = folder / "simulated" / NAME
    for group in ("sourceHR", "targetLR", "testHR", "testLR"):
        (simulated / group).mkdir(parents=True)
        for path in (EXAMPLE / NAME / group).iterdir():
            (simulated / group / path.name).symlink_to(path.absolute())
    told = {"udeansr": "0", "degradation": asdict(DEGRADATIONS["shifted"]), "subjects": subjects, "seed": 1}
    write_json(told, folder / "simulation.json")
    record = {"model": {"name": "a"}, "settings": {"quality": "fast"}, "report": {"outside": ["noise"]}}
    write_json({"udeansr": record}, folder / "record.json")
    copied = folder / "prepared" / NAME / CONFIGURATION
    marker = home / CONFIGURATION / "preprocessed.json"
    shutil.copytree(home / CONFIGURATION, copied, symlinks=True)
    shutil.copy(home / "plans.json", copied.parent)
    shutil.copy(home / "domain.json", copied.parent)
    return {
        "metrics.jsonl": of_lines(run / "metrics.jsonl", at / "metrics.jsonl", epochs, 0.02),
        "benchmark row": of_json(folder / "row.json", at / "row.json", row),
        "benchmark length": of_json(folder / "length.json", at / "length.json", load_length, 0.3),
        "simulation.json": of_json(
            folder / "simulation.json", simulated / "simulation.json",
            lambda _: given_scenario(simulated, "x2x2x2", "1"), 0.3,
        ),
        "preprocessed.json": of_json(marker, copied / marker.name, prepared, 0.3),
        "prediction record": of_json(
            folder / "record.json", at / "record.json",
            lambda path: case_report._tell_prediction(case_report._Found(), read_json_object(path, "record", "")),
        ),
        "checkpoint, --continue": Reader(going_on, go_on, 0.02),
        "plans.json": of_json(home / "plans.json", at / "plans.json", lambda path: use_plan(Plan.load(path))),
        "fingerprint.json": of_json(
            home / "fingerprint.json", at / "fingerprint.json",
            lambda path: fingerprint_table(Fingerprint.load(path)), 0.5,
        ),
        "domain.json": of_json(home / "domain.json", at / "domain.json", domain, 0.3),
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
