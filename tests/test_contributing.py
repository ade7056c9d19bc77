"""The recipes of CONTRIBUTING.md load as plug-ins, and the configs that follow them are valid."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPE = re.compile(
    r'^```python title="(?P<name>\w+)\.py"\n(?P<code>.*?)^```$(?:\n\n```yaml\n(?P<config>.*?)^```$)?',
    re.DOTALL | re.MULTILINE,
)
RECIPES = list(RECIPE.finditer((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
# In a separate process, since plug-ins stay registered.
CHECK = """
import sys
import yaml
from wsl.config.schema import load_config
from wsl.settings.registry import load_plugins, plugin_module

plugin, config = sys.argv[1:]
values = yaml.safe_load(open(config)) or {}
load_plugins([plugin])
print(load_config({"run": "mine", **values, "plugins": [plugin]}).model_dump_json())
"""


def imported(code):
    """The modules of wsl that a recipe imports."""
    return [node.module for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]


def exists(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def test_there_is_a_recipe_for_each_kind():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(RECIPES) == text.count("```python") == 7


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["name"])
def test_recipes_load(recipe, tmp_path):
    missing = [module for module in imported(recipe["code"]) if module.startswith("wsl.") and not exists(module)]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not in this version")
    plugin, config = tmp_path / f"{recipe['name']}.py", tmp_path / "config.yaml"
    plugin.write_text(recipe["code"])
    config.write_text(recipe["config"] or "{}")
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", CHECK, plugin, config],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in (recipe["config"] or "").splitlines():
        for name in re.findall(rf"\b{recipe['name']}\b", line):
            assert name in done.stdout
