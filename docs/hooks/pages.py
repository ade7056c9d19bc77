"""Pages that are made from the code while the site is built, and links that hold on GitHub and on the site."""

import posixpath
import re
from pathlib import Path

import typer
from mkdocs.structure.files import File
from typer.cli import get_docs_for_click

from wsl.cli.main import app

ROOT = Path(__file__).parents[2]
CONFIG = "reference/config.md"
API = "reference/api/"
HELP = "<!-- wsl --help -->"  # in a page: what `--help` says of every command takes its place
# Files outside docs/ that are pages of the site: links to them, which hold on GitHub, lead to these.
PAGES = {"README.md": "index.md", "config/README.md": CONFIG, "benchmarks/README.md": "benchmarks.md"}
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)")
# `wsl.zoo.plan` and the like. What names nothing that there is stops the build, since its reference is not found.
NAME = re.compile(r"(?<![`\[])`(wsl(?:\.\w+)+)`(?!`)")


def on_files(files, config):
    """Add the pages: the config's keys, benchmarks, and a page of the API for each that the navigation names."""
    made = {PAGES[name]: (ROOT / name).read_text(encoding="utf-8") for name in PAGES if name != "README.md"}
    made |= {uri: api(Path(uri).stem) for uri in named(config.nav) if uri.startswith(API)}
    for uri, content in made.items():
        files.append(File.generated(config, uri, content=content))


def on_page_markdown(markdown, page, **_):
    """Lead links to where the site has what they name, and names of code to the API; put in the commands."""

    def link(found):
        here = posixpath.dirname(page.file.src_uri)
        path = posixpath.normpath(posixpath.join("docs", here, found[1]))
        return posixpath.relpath(PAGES[path], here or ".") if path in PAGES else found[1]

    markdown = NAME.sub(r"[`\1`][\1]", LINK.sub(link, markdown))
    return markdown.replace(HELP, commands()) if HELP in markdown else markdown


def commands():
    """Return what `--help` says of every command, as Markdown without a title."""
    command = typer.main.get_command(app)
    for one in command.commands.values():  # else the list of commands cuts their summaries
        one.short_help = " ".join(one.help.partition("\n\n")[0].split())
    return get_docs_for_click(obj=command, ctx=typer.Context(command), name="wsl").partition("\n")[2]


def api(name):
    """Return the page of a package; `wsl` is that of the modules which are in none."""
    if name != "wsl":
        return f"::: wsl.{name}\n"
    modules = sorted(path.stem for path in (ROOT / "wsl").glob("*.py") if path.stem != "__init__")
    sections = "".join(f"::: wsl.{module}\n    options: {{heading_level: 2}}\n\n" for module in modules)
    return f"# What all stages use\n\n{sections}"


def named(nav):
    """Return the pages of a navigation."""
    if isinstance(nav, str):
        return [nav]
    return [uri for part in (nav.values() if isinstance(nav, dict) else nav) for uri in named(part)]
