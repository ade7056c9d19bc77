"""Registries and plug-in files."""

import sys

import pytest

from wsl.errors import ConfigError
from wsl.jobs.provenance import call_digest
from wsl.settings.registry import PLUGINS, Registry, load_plugins, module_file, offer_plugins, plugin_module
from wsl.shared.losses.base import LOSSES

PLUGIN = """
from wsl.shared.losses.base import LOSSES, Loss

@LOSSES.register("{name}")
class Toy(Loss):
    summary = "zero"

    @staticmethod
    def compute(projections, codes, scale, settings):
        return {value}

def work():
    pass
"""


@pytest.fixture
def plugin(tmp_path):
    """Writes a plug-in that registers a loss: ``plugin("toy", value)``; its entries are removed afterwards."""
    paths = []

    def write(name, value=0.0, file="toy.py"):
        (tmp_path / name).mkdir(exist_ok=True)
        path = tmp_path / name / file
        path.write_text(PLUGIN.format(name=name, value=value))
        paths.append((name, path))
        return path

    yield write
    files = {str(path) for _, path in paths}
    for name in [name for name, loss in LOSSES._entries.items() if str(module_file(loss)) in files]:
        del LOSSES._entries[name]
    for name in [name for name in sys.modules if name.startswith(PLUGINS) and sys.modules[name].__file__ in files]:
        del sys.modules[name]


def test_every_module_of_the_package_is_found_once():
    assert list(LOSSES) == ["nt_xent", "mse", "cosine", "norm"]
    assert LOSSES["mse"].name == "mse" and module_file(LOSSES["mse"]).name == "pointwise.py"
    assert "mse" in LOSSES and "hinge" not in LOSSES


def test_a_plugin_adds_an_entry_after_the_built_in_ones(plugin):
    path = plugin("zero")
    load_plugins([path, path])
    assert list(LOSSES)[-1] == "zero" and module_file(LOSSES["zero"]) == path


def test_an_offered_plugin_is_imported_for_a_name_that_needs_it(plugin):
    files = [plugin("first"), plugin("second"), plugin("third")]
    offer_plugins(files)
    assert LOSSES["mse"].name == "mse" and not set(map(plugin_module, files)) & set(sys.modules)
    assert LOSSES["second"].name == "second" and "third" not in LOSSES._entries
    assert {plugin_module(path) for path in files} & set(sys.modules) == {plugin_module(files[1])}
    with pytest.raises(ConfigError, match=r"unknown loss 'zero' \(known: .*first.*second.*third"):
        LOSSES["zero"]
    offer_plugins([plugin("fourth")])
    assert "fourth" in list(LOSSES)


def test_files_of_one_name_in_two_folders_are_two_plugins(plugin):
    load_plugins([plugin("first"), plugin("second")])
    assert {"first", "second"} <= set(LOSSES)


def test_the_name_of_a_plugins_module_survives_a_move_of_the_project(plugin, tmp_path, monkeypatch):
    path, moved = plugin("first"), plugin("second")
    names = []
    for file in (path, moved):
        monkeypatch.chdir(file.parent)
        names += [plugin_module("toy.py"), plugin_module("./toy.py"), plugin_module(file)]
    assert set(names) == {plugin_module("toy.py")} != {plugin_module("../first/toy.py")}
    assert plugin_module(path) != plugin_module("../first/toy.py")  # an absolute path outside the project
    monkeypatch.chdir(tmp_path)
    assert plugin_module("first/toy.py") == plugin_module(path) != plugin_module("second/toy.py")


def test_a_loaded_plugin_is_recognised_from_another_working_directory(plugin, monkeypatch):
    path = plugin("first")
    monkeypatch.chdir(path.parent)
    load_plugins(["toy.py"])
    loss, name = LOSSES["first"], plugin_module(path)
    monkeypatch.chdir("/")
    load_plugins([path])
    assert LOSSES["first"] is loss and plugin_module(path) != name
    assert call_digest(f"{plugin_module(path)}.work") == call_digest(f"{name}.work")


def test_another_file_with_the_module_name_of_a_loaded_plugin_is_refused(plugin, monkeypatch):
    path, other = plugin("first"), plugin("second")
    monkeypatch.chdir(path.parent)
    load_plugins(["toy.py"])
    monkeypatch.chdir(other.parent)
    with pytest.raises(ConfigError, match=r"toy.py has the name of .*first/toy.py, .* different Python processes"):
        load_plugins(["toy.py"])


def test_an_unknown_name_is_refused_with_the_known_and_the_closest():
    with pytest.raises(
        ConfigError, match=r"unknown loss 'mes'; did you mean mse\? \(known: cosine, mse, norm, nt_xent\)"
    ):
        LOSSES["mes"]


def test_two_files_with_one_name_are_refused(plugin):
    with pytest.raises(ConfigError, match=r"two files define the loss 'mse': .*pointwise.py and .*toy.py; rename"):
        load_plugins([plugin("mse")])
    assert module_file(LOSSES["mse"]).name == "pointwise.py"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.py", None, "missing.py is not a Python file; give the path of a .py file"),
        ("notes.txt", "x", "notes.txt is not a Python file"),
        ("broken.py", "import no_such_module", "broken.py cannot be imported .ModuleNotFoundError: No module named"),
        ("wrong.py", "def", "wrong.py cannot be imported .SyntaxError"),
    ],
)
def test_a_file_that_is_not_a_plugin_is_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    for _ in range(2):  # a failed import leaves nothing behind
        with pytest.raises(ConfigError, match=message):
            load_plugins([tmp_path / name])


def test_a_plugins_code_is_part_of_the_digest_of_jobs_that_use_it(plugin):
    load_plugins([plugin("first", 1.0), plugin("second", 1.0), plugin("third", 2.0)])
    first, second, third = (
        call_digest("wsl.shared.training.train_shared", LOSSES[name]) for name in ("first", "second", "third")
    )
    assert len({first, second, third, call_digest("wsl.shared.training.train_shared")}) == 4
    module = plugin_module(module_file(LOSSES["first"]))
    assert call_digest(f"{module}.work") != call_digest("wsl.shared.training.train_shared")


def test_a_package_is_searched_at_the_first_look_up(tmp_path, monkeypatch):
    package = tmp_path / "kinds"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from wsl.settings.registry import Registry\nKINDS = Registry('kind', 'kinds')\n"
    )
    for name in ("b", "a"):
        (package / f"{name}.py").write_text(f"from kinds import KINDS\n@KINDS.register('{name}')\nclass C: pass\n")
    (package / "_hidden.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    import kinds

    assert not kinds.KINDS._entries and list(kinds.KINDS) == ["a", "b"]
    assert isinstance(kinds.KINDS, Registry)
    for name in ("kinds", "kinds.a", "kinds.b"):
        del sys.modules[name]
