"""The documentation as a site: it builds strictly, has every page, and all its links work."""

import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer
import yaml
from pydantic import BaseModel

from wsl.cli.main import app
from wsl.config.schema import Config

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
EQUATION = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
# Tags of the theme and of Markdown. Any other tag is text that was parsed as a tag, as in results/<run>.
TAGS = """
a article aside b body button code dd details div dl dt em figure footer form h1 h2 h3 h4 h5 h6 head header hr html img
input label li link main meta nav ol p path pre script small span strong style summary svg table tbody td th thead title
tr ul
"""


class Page(HTMLParser):
    """A built page: its tags, ids, links, equations (their TeX), and the text that a reader sees."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags, self.ids, self.links, self.equations, self.text = set(), set(), [], [], ""
        self._hidden = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.add(tag)
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        self.links += [values[key] for key in ("href", "src") if values.get(key) is not None]
        self._hidden += tag in ("script", "style")
        if tag == "svg" and "aria-label" in values:
            self.equations.append(values["aria-label"])
        if tag == "path" and self.equations:
            assert values["d"], "an equation without a line"

    def handle_endtag(self, tag):
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data):
        self.text += "" if self._hidden else data


@cache
def page(path: Path) -> Page:
    return Page(path)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "WARNING" not in done.stdout, done.stdout
    return folder


def named(nav):
    if isinstance(nav, str):
        return [nav]
    return [name for part in (nav.values() if isinstance(nav, dict) else nav) for name in named(part)]


def built(site, name):
    """The built page of a source in the navigation."""
    folder = site / Path(name).parent
    return page((folder if Path(name).stem in ("index", "README") else folder / Path(name).stem) / "index.html")


def test_the_pages_are_those_of_the_navigation(site):
    names = named(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert {site / "404.html", *site.rglob("index.html")} == set(site.rglob("*.html"))
    assert len(names) == len(set(names)) == len(list(site.rglob("index.html")))
    for name in names:
        assert len(built(site, name).text.split()) > 100, name
    sources = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert sources <= set(names)


def test_every_link_and_image_leads_to_a_built_file(site):
    followed, lost = 0, []
    for path in site.rglob("*.html"):
        for link in page(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = site / parts.path.lstrip("/") if parts.path.startswith("/") else path.parent / unquote(parts.path)
            target = (path if not parts.path else target / "index.html" if target.is_dir() else target).resolve()
            anchored = not parts.fragment or unquote(parts.fragment) in page(target).ids if target.is_file() else False
            followed += 1
            if not (target.is_file() and target.is_relative_to(site.resolve()) and anchored):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert lost == [] and followed > 1000


def test_nothing_is_fetched_from_other_servers(site):
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert not re.findall(r'(?:\bsrc=|<link[^>]+stylesheet[^>]+href=)"?(?:https?:)?//[^"\s>]+', html), path


def test_no_text_is_read_as_a_tag(site):
    assert {tag: str(path) for path in site.rglob("*.html") for tag in page(path).tags - set(TAGS.split())} == {}


def test_every_key_of_the_config_is_on_its_page(site):
    html = (site / "reference" / "config" / "index.html").read_text(encoding="utf-8")
    parts = re.split(r"<h2[^>]*>(.*?)<a", html)
    sections = {re.sub("<.*?>", "", title): text for title, text in zip(parts[1::2], parts[2::2], strict=True)}

    def listed(path, name):
        return f"<td><code>{name}</code></td>" in sections.get(path or "Top level", "")

    def missing(model, path=""):
        parent, _, section = path.rpartition(".")
        for key, field in model.model_fields.items():
            name = field.alias or key
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from missing(field.annotation, f"{path}.{name}".lstrip("."))
            elif not (listed(path, name) or listed(parent, f"{section}.{name}")):
                yield f"{path}.{name}"

    assert list(missing(Config)) == []


def test_every_command_and_option_is_on_its_page(site):
    text = built(site, "reference/commands.md").text
    commands = typer.main.get_command(app).commands
    assert set(commands) >= {"sample", "inspect", "export", "doctor"}
    for name, command in commands.items():
        assert f"wsl {name} [OPTIONS]" in text
        for parameter in (param for param in command.params if not getattr(param, "hidden", False)):
            # An argument is shown by its metavar, which help may break over lines.
            shown = (parameter.metavar or parameter.name).split()[0].lower()
            shown = shown if parameter.param_type_name == "argument" else max(parameter.opts, key=len)
            assert shown in text.lower(), (name, parameter.name)


def test_every_module_is_in_the_api(site):
    ids = set().union(*(page(path).ids for path in (site / "reference" / "api").rglob("index.html")))
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "wsl").rglob("*.py")]
    # Modules with an underscore hold what an entry of a registry imports when it is used.
    modules = {name.removesuffix(".__init__") for name in modules if "._" not in name.removesuffix(".__init__")}
    modules -= {"wsl"}
    assert modules - ids == set()
    assert {"wsl.zoo.plan.plan_members", "wsl.training.ntxent.nt_xent", "wsl.weights.pca.ParameterPCA.encode"} <= ids


def test_equations_of_the_method_are_drawn(site):
    source = (ROOT / "docs" / "method.md").read_text()
    equations = [" ".join((display or inline).split()) for display, inline in EQUATION.findall(source)]
    method = built(site, "method.md")
    assert len(equations) > 10 and method.equations == equations
    assert "$" not in method.text and "\\" not in method.text
