"""Methods beside each other on people never seen: from a folder of HR scans to a table, by the commands of udeansr.

    python benchmarks/methods.py -i ds002748/ -o bench/ --scale x2x2x1 --source 12 --target 12 --validation 2 --test 4

simulates a dataset, plans, trains every method that learns, predicts the test people, scores. What is there already is
not done again. On a GPU leave --memory-gb out and give --epochs as long as there is time; --train hands further flags
to udeansr_train. The table of documentation/benchmark.md is made of these steps.
"""

import argparse
import subprocess
import sys
from pathlib import Path

NAME = "Dataset001_Benchmark"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-i", "--input", type=Path, required=True, help="folder of HR scans")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for all that is made")
    parser.add_argument("--scale", required=True)
    parser.add_argument("--degradation", default="shifted")
    parser.add_argument("--seed", default="1")
    for group in ("source", "target", "validation", "test"):
        parser.add_argument(f"--{group}", required=True, help="people")
    parser.add_argument("--methods", default="tricubic,sinc,udean_paper,udean")
    parser.add_argument("--epochs", default="10")
    parser.add_argument("--memory-gb", help="plan for this GPU memory; 0: for a CPU")
    parser.add_argument("--train", default="", help="further flags for udeansr_train, in one string")
    options = parser.parse_args()

    folder = options.output
    raw, arrays, results = folder / "raw", folder / "preprocessed", folder / "results"
    groups = [
        word for name in ("source", "target", "validation", "test") for word in (f"--{name}", vars(options)[name])
    ]
    if not (raw / NAME).is_dir():
        recipe = ["--scale", options.scale, "--degradation", options.degradation, "--seed", options.seed]
        run("simulate", "-i", options.input, "-o", raw / NAME, *recipe, *groups)
    memory = [] if options.memory_gb is None else ["--memory-gb", options.memory_gb]
    run("plan_and_preprocess", "-d", "1", "--raw", raw, "--preprocessed", arrays, *memory)
    scored = []
    for method in options.methods.split(","):
        sr = folder / "sr" / method
        if method in ("tricubic", "sinc"):
            model = ["--method", method, "--scale", options.scale]
        else:
            own = results / NAME / options.scale / method
            if not (own / "final.pt").is_file():
                mode = ["--continue"] if (own / "latest.pt").is_file() else []
                flags = ["--epochs", options.epochs, "--preprocessed", arrays, "--results", results]
                run("train", "1", options.scale, "--method", method, *flags, *options.train.split(), *mode)
            model = ["-m", own]
        run("predict", "-i", raw / NAME / "testLR", "-o", sr, *model, "--continue")
        scored += ["-i", sr]
    run("evaluate", *scored, "-r", raw / NAME / "testHR", "-o", folder / "scores")


def run(command: str, *words: object) -> None:
    line = [f"udeansr_{command}", *map(str, words)]
    print("$", *line, flush=True)
    subprocess.run([str(Path(sys.executable).parent / line[0]), *line[1:]], check=True)


if __name__ == "__main__":
    main()
