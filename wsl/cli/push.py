"""`wsl push`: send a model, a member, a zoo or a run to the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, mendable, say
from wsl.cli.sources import bars_on_terminals

UNITS = ("B", "kB", "MB", "GB", "TB")


@app.command()
def push(
    path: Annotated[
        Path,
        typer.Argument(
            help="A model of `wsl sample`, a member (.h5; FILE:NUMBER of a file of several), a zoo "
            "(results/RUN/zoo, or a folder of `wsl import`), or the folder of a finished run."
        ),
    ],
    to: Annotated[str, typer.Option("--to", help="Repository: owner/name. It is created if it does not exist.")],
    private: Annotated[
        bool, typer.Option("--private", help="Only you can see a new repository. [default: everyone can read it]")
    ] = False,
    revision: Annotated[
        str | None,
        typer.Option(help="Branch, created if it does not exist. [default: the main branch]", show_default=False),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(
            help="Licence, as the Hub names it, such as mit. [default: the card states that none is given]",
            show_default=False,
        ),
    ] = None,
    without_members: Annotated[
        bool, typer.Option("--without-members", help="Of a run: do not send the weights of its members.")
    ] = False,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Of a run: send its packed images too. They may be private.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")] = False,
) -> None:
    """Send a model, a member, a zoo or a finished run to the Hugging Face Hub, with a card.

    The files are committed to the repository; no other file of it is changed. Zoos become repositories of data sets,
    all others of models. Log in by `hf auth login`, or set the environment variable HF_TOKEN.
    """
    with mendable():
        from wsl.hub.contents import contents_of
        from wsl.hub.pushing import Target, prepared, send

        target = Target(to, private, revision, license)
        with prepared(contents_of(path, not without_members, with_images), target) as contents:
            seen = "private" if private else "public, unless the repository exists and is private"
            say(f"{path} ({contents.kind}) to the {contents.repo_type} repository {to} ({seen}):")
            for name, (count, size) in sorted(contents.sizes.items()):
                say(f"  {name:<28}{in_bytes(size):>10}" + (f"  {count} files" if name.endswith("/") else ""))
            total = sum(size for _, size in contents.sizes.values())
            say(f"  {f'{len(contents.files)} files':<28}{in_bytes(total):>10}")
            for name, reason in contents.left_out.items():
                say(f"not sent: {name} ({reason})")
            if dry_run:
                say("nothing was sent, since this is a dry run")
                return
            bars_on_terminals()
            url = send(contents, target)
        say(f"sent to {url}")


def in_bytes(size: float) -> str:
    """Return a number of bytes in a suitable unit."""
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError("the last unit has no limit")
