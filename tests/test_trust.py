"""Files from others cannot run code: no module of the project unpickles, itself or through a library."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("wsl", "workflow", "benchmarks")
FILES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".smk")]
FILES = [*sorted(FILES), ROOT / "Snakefile", ROOT / "workflow" / "Snakefile"]
# Modules whose readers can run code in a file.
FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "os.system", "pd.read_pickle", "pandas.read_pickle", "torch.hub.load"}
FORBIDDEN_CALLS |= {f"yaml.{name}" for name in ("load", "load_all", "full_load", "unsafe_load")}
# Readers that unpickle by default, with the argument that prevents it, or only with an argument.
REQUIRED = {"torch.load": ("weights_only", True), "open_clip.create_model": ("weights_only", True)}
REQUIRED |= {"get_state_dict": ("weights_only", True)}
FORBIDDEN_ARGUMENTS = {"np.load": "allow_pickle", "numpy.load": "allow_pickle", "np.save": "allow_pickle"}


def faults(source: str) -> list[str]:
    """Return line and name of each import and call that could run code in a file."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        lines += [f"{node.lineno}: import {name}" for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        if not isinstance(node, ast.Call):
            continue
        name, arguments = ast.unparse(node.func), {key.arg: ast.unparse(key.value) for key in node.keywords}
        key, value = REQUIRED.get(name, REQUIRED.get(name.rsplit(".", 1)[-1], (None, None)))
        wrong = (key and arguments.get(key) != str(value)) or FORBIDDEN_ARGUMENTS.get(name, "") in arguments
        if name in FORBIDDEN_CALLS or wrong:
            lines.append(f"{node.lineno}: {name}")
    return lines


def python_of(path: Path) -> str:
    """Return a file's Python; of a rule file, which has more keywords, the lines that parse by themselves."""
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
EVALUATED = ("wsl/figures/catalogue.py",)


def test_nothing_is_unpickled():
    calls = {str(path.relative_to(ROOT)): faults(python_of(path)) for path in FILES}
    assert [line.split(": ")[1] for path in EVALUATED for line in calls.pop(path)] == ["eval", "compile"]
    assert {path: lines for path, lines in calls.items() if lines} == {}


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
        "torch.hub.load('user/model', 'resnet18')",
    ],
)
def test_calls_that_unpickle_are_found(source):
    assert len(faults(source)) == 1


def test_other_calls_are_not_found():
    safe = "torch.load(path, weights_only=True)\nyaml.safe_load(text)\nnp.load(path)\njson.load(file)\nre.compile('x')"
    assert faults(safe) == []


def test_the_named_files_exist():
    assert len(FILES) > 150 and ROOT / "wsl" / "zoo" / "start.py" in FILES
    assert "wsl.jobs.provenance" in python_of(ROOT / "workflow" / "rules" / "common.smk")
