import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from udeansr.cli.models import SUBCOMMANDS, main
from udeansr.image.files import write_volume
from udeansr.image.volume import Geometry, Volume
from udeansr.methods import build_method, parse_settings
from udeansr.models import registry
from udeansr.models.calibration import Calibration
from udeansr.planning.plan import Plan
from udeansr.strict_json import write_json
from udeansr.training.checkpoint import KEYS, save_checkpoint


def ended(monkeypatch, *words: object) -> int:
    """Run the command in this process and give its exit status."""
    monkeypatch.setattr(sys, "argv", ["udeansr_models", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.fixture
def training(tmp_path, monkeypatch, tiny_configuration) -> Path:
    """The folder of a tiny training; no model is bundled, and imported ones lie in ``models``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setenv("UDEANSR_MODELS", "models")
    configuration = tiny_configuration(lr_spacing_mm=(4.0, 2.0, 2.0))
    settings = parse_settings("supervised", [])
    state = {key: {} for key in KEYS if key not in ("format", "version")} | {
        "plan": Plan("Dataset001_BrainT1w", "SPL", 1.0, {"x2x2x2": configuration}).as_dict(),
        "configuration": "x2x2x2",
        "method": "supervised",
        "settings": asdict(settings),
        "weights": build_method("supervised", configuration, settings).state_dict(),
    }
    folder = tmp_path / "run"
    folder.mkdir()
    save_checkpoint(folder / "best.pt", state)
    return folder


def test_a_training_is_exported_imported_shown_used_and_removed(training, monkeypatch, capsys):
    assert ended(monkeypatch, "export", "-m", "run", "-o", "a.zip", "--contrast", "T1w") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("brain-t1w-x2x2x2: a.zip, 0.") and told[1] == "next: udeansr_models import a.zip"

    assert ended(monkeypatch, "info", "a.zip") == 0
    told = capsys.readouterr().out
    assert told.startswith('---\nlicense: "unknown"') and "# brain-t1w-x2x2x2" in told
    assert "\nfile:        a.zip, " in told and "\nsha256:      " in told and "\nuncertainty: not calibrated\n" in told

    assert ended(monkeypatch, "import", "a.zip") == 0
    assert capsys.readouterr().out.startswith("brain-t1w-x2x2x2: models/brain-t1w-x2x2x2.zip\n")
    assert ended(monkeypatch, "list") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].split() == ["name", "contrast", "scale", "LR", "spacing", "axes", "where", "MB"]
    assert told[1].split()[:9] == ["brain-t1w-x2x2x2", "T1w", "x2x2x2", "4", "x", "2", "x", "2", "mm"]
    assert told[1].split()[9:11] == ["SPL", "imported"]
    assert told[2] == "1 model; imported ones lie in models ($UDEANSR_MODELS)"

    assert ended(monkeypatch, "remove", "brain-t1w-x2x2x2") == 0
    assert capsys.readouterr().out == "removed models/brain-t1w-x2x2x2.zip\n"
    assert ended(monkeypatch, "list") == 0
    assert capsys.readouterr().out == "0 models; imported ones lie in models ($UDEANSR_MODELS)\n"


def test_prediction_works_without_any_results(training, monkeypatch, capsys):
    from udeansr.cli.predict import main as predict

    assert ended(monkeypatch, "export", "-m", "run/best.pt", "-o", "a.zip", "--contrast", "T1w", "--name", "mine") == 0
    assert ended(monkeypatch, "import", "a.zip") == 0
    grid = Geometry((5, 20, 24), (4.0, 2.0, 2.0))
    write_volume(Volume(np.random.default_rng(0).random(grid.shape, np.float32), grid), Path("lr/a_T1w.nii.gz"))
    for number, words in enumerate(((), ("-m", "mine"), ("-m", "a.zip"))):
        monkeypatch.setattr(
            sys, "argv", ["udeansr_predict", "-i", "lr", "-o", f"sr{number}", "--device", "cpu", *words]
        )
        with pytest.raises(SystemExit) as left:
            predict()
        assert not left.value.code and Path(f"sr{number}/a_T1w.nii.gz").is_file()
    assert not Path("udeansr_results").exists()


def test_a_card_a_calibration_and_whole_weights_go_along(training, monkeypatch, capsys):
    Path("card.md").write_text("# Mine\n")
    write_json(Calibration((0.0, 1.0), (0.0, 2.0)), Path("curve.json"))
    words = ("export", "-m", "run", "--contrast", "T1w", "-o")
    assert ended(monkeypatch, *words, "half.zip") == 0
    assert ended(monkeypatch, *words, "a.zip", "--card", "card.md", "--calibration", "curve.json", "--float32") == 0
    assert Path("a.zip").stat().st_size > Path("half.zip").stat().st_size
    capsys.readouterr()
    assert ended(monkeypatch, "info", "a.zip") == 0
    told = capsys.readouterr().out
    assert told.startswith("# Mine\n") and "\nuncertainty: calibrated\n" in told


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("info", "gone"),
            "info: gone: neither a file or folder, nor the name of a bundled or imported model; there: none",
        ),
        (("remove", "gone"), "remove: gone: neither a file or folder, nor the name"),
        (
            ("import", "gone.zip"),
            "import: gone.zip: there is no such file; expected a model that udeansr_models export",
        ),
        (("import", "card.bin"), "import: card.bin: no zip, or a broken one; expected a model"),
        (("export", "-m", "run", "-o", "a.zip"), "export: run/best.pt: does not say the contrast of its images"),
        (
            ("export", "-m", "run", "-o", "a.zip", "--contrast", "T1w", "--card", "gone.md"),
            "export: gone.md: cannot be read as text; give a Markdown file with --card",
        ),
        (
            ("export", "-m", "run", "-o", "a.zip", "--contrast", "T1w", "--card", "card.bin"),
            "export: card.bin: cannot be read as text",
        ),
        (
            ("export", "-m", "run", "-o", "a.zip", "--contrast", "T1w", "--calibration", "gone.json"),
            "export: gone.json: there is no calibration",
        ),
        (("export", "-m", "run", "-o", "a.zip", "--contrast", "T1w", "--name", "A b"), "export: 'A b' is no name of a"),
        (("onnx", "-m", "gone.pt", "-o", "a.onnx"), "onnx: gone.pt: there is no such checkpoint"),
    ],
)
def test_the_users_mistakes_are_one_line_and_status_2(training, monkeypatch, capsys, words, line):
    Path("card.bin").write_bytes(b"\xff\xfe\x00")
    assert ended(monkeypatch, *words) == 2
    told = capsys.readouterr()
    assert told.out == "" and not Path("a.zip").exists()
    assert told.err.startswith(f"udeansr_models {line}") and told.err.count("\n") == 1


@pytest.mark.slow
def test_a_network_is_written_for_other_programs(training, monkeypatch, capsys):
    def export(model, path):
        path.write_bytes(bytes(200_000))
        return {"scale_zyx": str(list(model.scale.zyx))}

    monkeypatch.setattr("udeansr.models.onnx.export_onnx", export)  # tests/models/test_onnx.py does it in earnest
    assert ended(monkeypatch, "onnx", "-m", "run", "-o", "a.onnx") == 0
    told = capsys.readouterr().out
    assert "scale_zyx: [2, 2, 2]\n" in told and "\nnetwork: a.onnx, 0." in told


def test_help_tells_all_subcommands_and_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['udeansr_models', '-h']; from udeansr.cli.models import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in SUBCOMMANDS)
