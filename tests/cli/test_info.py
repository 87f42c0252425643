import subprocess
import sys

from udeansr.cli.info import info


def test_info_tells_roots_with_their_origin_and_what_they_hold(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UDEANSR_RAW", raising=False)
    monkeypatch.setenv("UDEANSR_RESULTS", str(tmp_path / "models"))
    (tmp_path / "udeansr_raw/Dataset007_Knee/sourceHR").mkdir(parents=True)
    (tmp_path / "udeansr_raw/Dataset007_Knee/sourceHR/a.nii.gz").touch()
    (tmp_path / "models/Dataset007_Knee/x2x2x2/udean").mkdir(parents=True)
    (tmp_path / "models/Dataset007_Knee/x2x2x2/udean/best.pt").touch()
    info()
    shown = capsys.readouterr().out
    assert "datasets in udeansr_raw (default):\n  Dataset007_Knee: sourceHR 1\n" in shown
    assert "plans and arrays in udeansr_preprocessed (default):\n  none\n" in shown
    assert f"models in {tmp_path / 'models'} ($UDEANSR_RESULTS):\n  Dataset007_Knee/x2x2x2/udean\n" in shown
    assert "devices" not in shown


def test_devices_are_told_when_asked(capsys):
    info(devices=True)
    devices = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("devices: "))
    assert devices.endswith("cpu")


def test_info_loads_no_torch():
    code = "import sys; from udeansr.cli.info import info; info(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
