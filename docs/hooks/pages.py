"""Pages that are generated while the site is built, and links that work both on GitHub and on the site."""

import json
import posixpath
import re
from pathlib import Path

import typer
from mkdocs.structure.files import File
from typer.cli import get_docs_for_click

import wsl
from wsl.cli.main import app

ROOT = Path(__file__).parents[2]
CONFIG = "reference/config.md"
API = "reference/api/"
INTERFACE = ("opening", "run", "data", "model", "zoo")  # modules of `wsl.api` for users, the first on its page
HELP = "<!-- wsl --help -->"  # replaced by the output of `--help` of every command
# Files outside docs/ that are pages of the site. Links to them, which work on GitHub, are redirected to the pages.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "config/README.md": CONFIG,
    "benchmarks/README.md": "benchmarks.md",
}
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)")
# `wsl.zoo.plan` and the like become links to the API. An unknown name stops the build.
PUBLIC = {f"wsl.{name}": f"{module}.{name}" for name, module in wsl._MODULES.items()}  # `wsl.open` and the like
NAME = re.compile(r"(?<![`\[])`(wsl(?:\.\w+)+)`(?!`)")


def on_files(files, config):
    """Add the pages from outside docs/, and one page of the API for each that the navigation lists."""
    pages = {PAGES[name]: site_text(name) for name in PAGES if name != "README.md"}
    pages |= {f"notebooks/{path.stem}.md": notebook(path) for path in sorted((ROOT / "docs/notebooks").glob("*.ipynb"))}
    pages |= {uri: api(Path(uri).stem) for uri in pages_of(config.nav) if uri.startswith(API)}
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))


def site_text(name):
    """Return a file from outside docs/ with links that work from its page."""
    here = posixpath.dirname(PAGES[name])

    def link(match):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[1]))
        page = PAGES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        return posixpath.relpath(page, here or ".") if page else match[1]

    return LINK.sub(link, (ROOT / name).read_text(encoding="utf-8"))


def on_page_markdown(markdown, page, **_):
    """Redirect links, turn names of code into links to the API, and insert the help of the commands."""

    def link(match):
        here = posixpath.dirname(page.file.src_uri)
        path = posixpath.normpath(posixpath.join("docs", here, match[1]))
        return posixpath.relpath(PAGES[path], here or ".") if path in PAGES else match[1]

    markdown = NAME.sub(lambda match: f"[`{match[1]}`][{PUBLIC.get(match[1], match[1])}]", LINK.sub(link, markdown))
    return markdown.replace(HELP, commands()) if HELP in markdown else markdown


def notebook(path):
    """Return the cells of a notebook as a page, with a link to the file."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    fenced = [
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
        for cell, text in zip(cells, texts, strict=True)
    ]
    title, *others = fenced[0].split("\n\n", 1)
    link = f"This page is a notebook: [{path.name}]({path.name})."
    return "\n\n".join([title, link, *others, *fenced[1:]])


def commands():
    """Return the help of every command as Markdown without a title."""
    group = typer.main.get_command(app)
    for command in group.commands.values():  # otherwise the list of commands truncates their summaries
        command.short_help = " ".join(command.help.partition("\n\n")[0].split())
    return get_docs_for_click(obj=group, ctx=typer.Context(group), name="wsl").partition("\n")[2]


def api(name):
    """Return the page of a package; `wsl` stands for the modules that are in no package."""
    if name == "api":  # with what classes inherit, since their bases only divide them into files
        options = "options: {heading_level: 2, inherited_members: true}"
        modules = sorted(path.stem for path in (ROOT / "wsl/api").glob("*.py") if path.stem != "__init__")
        modules.sort(key=lambda module: INTERFACE.index(module) if module in INTERFACE else len(INTERFACE))
        sections = "".join(f"::: wsl.api.{module}\n    {options}\n\n" for module in modules)
        return f'# <a id="wsl.api"></a>The Python interface\n\n{sections}'
    if name != "wsl":
        return f"::: wsl.{name}\n"
    modules = sorted(path.stem for path in (ROOT / "wsl").glob("*.py") if path.stem != "__init__")
    sections = "".join(f"::: wsl.{module}\n    options: {{heading_level: 2}}\n\n" for module in modules)
    return f"# Common modules\n\n{sections}"


def pages_of(nav):
    """Return the pages of a navigation."""
    if isinstance(nav, str):
        return [nav]
    return [uri for part in (nav.values() if isinstance(nav, dict) else nav) for uri in pages_of(part)]
