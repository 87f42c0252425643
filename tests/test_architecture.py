"""The laws of the house: floors, small files, opening docstrings, a test file for every file."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "udeansr"
FLOORS = [
    {"errors"},
    {"files", "progress", "paths", "device", "peak_memory", "distributed"},
    {"strict_json", "parallel", "lock", "networks", "losses"},
    {"image"},
    {"degradation"},
    {"planning", "evaluation"},
    {"preprocessing"},
    {"batches"},
    {"methods"},
    {"inference"},
    {"training"},
    {"speed"},
    {"models"},
    {"prediction"},
    {"benchmark"},
    {"figures"},
    {"report"},
    {"cli"},
]
FLOOR = {place: number for number, places in enumerate(FLOORS) for place in places}
FILES = sorted(path for path in PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in FILES]
FORBIDDEN_WORDS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
LONGEST_FILE = 300
LONGEST_FUNCTION = 60
FILES_OF_A_FOLDER = 16


def place(path: Path) -> str:
    """The folder of a file, or the file itself where it lies on top."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imported(path: Path) -> list[str]:
    """All modules of ours that a file imports, wherever in it: the names after ``udeansr.``."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "udeansr":
                found += [alias.name for alias in node.names]
            elif node.module and node.module.startswith("udeansr."):
                found.append(node.module.removeprefix("udeansr."))
        elif isinstance(node, ast.Import):
            found += [alias.name.removeprefix("udeansr.") for alias in node.names if alias.name.startswith("udeansr.")]
    return [name for name in found if not name.startswith("__")]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_imports_run_down_only(path):
    if path == PACKAGE / "__init__.py":
        return
    own = place(path)
    assert own in FLOOR, f"{own} has no floor; give it one here and in documentation/architecture.md"
    for name in imported(path):
        other = name.split(".")[0]
        assert other == own or FLOOR[other] < FLOOR[own], f"{path.name} ({own}) imports {name}, which is not below it"


def test_no_circles():
    graph = {}
    for path in FILES:
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        graph[module] = imported(path)
    finished, open_now = set(), []

    def visit(module: str) -> None:
        assert module not in open_now, f"a circle: {' -> '.join([*open_now, module])}"
        if module in finished or module not in graph:
            return
        open_now.append(module)
        for other in graph[module]:
            visit(other)
        open_now.pop()
        finished.add(module)

    for module in graph:
        visit(module)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_is_small_says_what_it_is_and_is_named_for_it(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no opening docstring"
    assert len(text.splitlines()) <= LONGEST_FILE, "grown past its idea?"
    assert not FORBIDDEN_WORDS & set(path.stem.split("_")), "named for nothing"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_function_can_be_read_at_one_glance(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=lambda folder: folder.name)
def test_a_folder_can_be_seen_at_one_glance(folder):
    files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= FILES_OF_A_FOLDER


def test_the_tree_of_architecture_md_is_the_tree():
    page = (ROOT / "documentation" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in FILES if path.parent != PACKAGE}
    assert not {folder for folder in folders if f"{folder}/" not in page}
    named = set(re.findall(r"`([a-z_]+/[a-z_]+\.py)`", page))
    assert named
    assert not {name for name in named if not (PACKAGE / name).is_file() and not (ROOT / name).is_file()}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_file_has_its_tests(path):
    if path.name == "__init__.py":
        return
    relative = path.relative_to(PACKAGE)
    assert (ROOT / "tests" / relative.parent / f"test_{relative.name}").is_file()


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_only_the_command_line_prints(path):
    if place(path) == "cli":
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


def test_commands_import_what_is_heavy_only_when_they_run():
    heavy = {"torch", "numpy", "SimpleITK", "scipy", "batchgenerators", "acvl_utils", "matplotlib", "jinja2"}
    light = {"errors", "paths", "cli"}
    for path in (PACKAGE / "cli").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & heavy, path.name
            elif isinstance(node, ast.ImportFrom) and node.module:
                top, *rest = node.module.split(".")
                assert top not in heavy, path.name
                assert top != "udeansr" or not rest or rest[0] in light, f"{path.name} imports {node.module} at its top"
