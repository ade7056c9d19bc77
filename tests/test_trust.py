"""Nothing that comes from outside can run code: no module of the project unpickles, or asks a library to."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("wsl", "workflow", "benchmarks")
FILES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".smk")]
FILES = [*sorted(FILES), ROOT / "Snakefile"]
# Modules whose readers run what a file says.
FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "os.system", "pd.read_pickle", "pandas.read_pickle", "torch.hub.load"}
FORBIDDEN_CALLS |= {f"yaml.{name}" for name in ("load", "load_all", "full_load", "unsafe_load")}
# Readers that unpickle unless, or if, they are told so: what each must say.
MUST_SAY = {"torch.load": ("weights_only", True), "open_clip.create_model": ("weights_only", True)}
MUST_SAY |= {"get_state_dict": ("weights_only", True)}
MUST_NOT_SAY = {"np.load": "allow_pickle", "numpy.load": "allow_pickle", "np.save": "allow_pickle"}


def faults(source: str) -> list[str]:
    """Return what in a source could run code that a file holds, each by line and name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found += [f"{node.lineno}: import {name}" for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        if not isinstance(node, ast.Call):
            continue
        name, said = ast.unparse(node.func), {one.arg: ast.unparse(one.value) for one in node.keywords}
        key, due = MUST_SAY.get(name, MUST_SAY.get(name.rsplit(".", 1)[-1], (None, None)))
        if name in FORBIDDEN_CALLS or (key and said.get(key) != str(due)) or MUST_NOT_SAY.get(name, "") in said:
            found.append(f"{node.lineno}: {name}")
    return found


def python_of(path: Path) -> str:
    """Return a file's Python; of a rule file, Python but for its keywords, every line that parses by itself."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    lines = []
    for line in text.splitlines():
        try:
            ast.parse(line.strip())
        except SyntaxError:
            continue
        lines.append(line.strip())
    return "\n".join(lines)


# A figure's declaration is part of a Python file of the project, or of one that the config names as a plug-in.
OWN_CODE = ("wsl/figures/catalogue.py",)


def test_nothing_is_unpickled():
    found = {str(path.relative_to(ROOT)): faults(python_of(path)) for path in FILES}
    assert [line.split(": ")[1] for path in OWN_CODE for line in found.pop(path)] == ["eval", "compile"]
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text, yaml.Loader)",
        "weights.get_state_dict(progress=False)",
        "get_weight(name).get_state_dict()",
        "open_clip.create_model(name, pretrained=path)",
        "eval(text)",
        "torch.hub.load('somebody/model', 'resnet18')",
    ],
)
def test_what_would_is_found(source):
    assert len(faults(source)) == 1


def test_what_does_not_is_let_pass():
    safe = "torch.load(path, weights_only=True)\nyaml.safe_load(text)\nnp.load(path)\njson.load(file)\nre.compile('x')"
    assert faults(safe) == []


def test_the_files_are_those_that_there_are():
    assert len(FILES) > 150 and ROOT / "wsl" / "zoo" / "start.py" in FILES
    assert "wsl.jobs.provenance" in python_of(ROOT / "workflow" / "rules" / "common.smk")
