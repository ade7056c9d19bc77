"""`wsl run`: make runs and show their progress."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from wsl.cli.app import app, console, mendable, say

if TYPE_CHECKING:
    from wsl.launch.planning import PlannedRun
    from wsl.launch.running import Ending

MOST = 20  # most lines of a list at the end


class _Passing(TyperCommand):
    """A command that keeps the arguments after ``--`` in ``ctx.obj``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        place = args.index("--") if "--" in args else len(args)
        ctx.obj = args[place + 1 :]
        return super().parse_args(ctx, args[:place])


@app.command(cls=_Passing)
def run(
    ctx: typer.Context,
    configs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Configs of runs, made one after the other: files, or names of presets (`tiny`, `glyphs`, ...). "
            "Without any: `config.yaml` or `config/config.yaml` of this folder if there is one, else `glyphs`. "
            "After `--`: more arguments for Snakemake.",
            metavar="[CONFIG...] [-- ARGUMENT...]",
            show_default=False,
        ),
    ] = None,
    cores: Annotated[str, typer.Option(help="Number of cores to use, or `all`.")] = "all",
    resume: Annotated[str | None, typer.Option(hidden=True, help="Command to print that resumes the runs.")] = None,
) -> None:
    """Make runs with Snakemake and show their progress: stages, members, losses, warnings, time left.

    It works in any folder and writes to `results/RUN` there. If the output is not a terminal, one line per minute is
    printed. Snakemake's own output goes to `results/RUN/logs/snakemake.log`. Ctrl-C stops the jobs and keeps finished
    files; the same command resumes. For a dry run, append `-- -n`.

    Exit codes: 0, all runs are complete; 1, something failed; 130, Ctrl-C.
    """
    with mendable():
        from wsl.launch.planning import asks, plan_runs
        from wsl.launch.running import Signals, Start, ask, make_run
        from wsl.launch.stopping import stopped, this_command

        command, start = resume or this_command(), Start(cores, ctx.obj, again=resume is None)
        if asks(ctx.obj):
            raise typer.Exit(max(ask(planned, start) for planned in plan_runs(configs or [], ctx.obj)))
        with Signals() as signals:
            runs = plan_runs(configs or [], ctx.obj)
            for number, planned in enumerate(runs, 1):
                title = planned.name + (f" (run {number} of {len(runs)})" if runs[1:] else "")
                ending = make_run(planned, title, start, console, signals)
                if signals.number is not None:
                    say(stopped(signals.number, command))
                    raise typer.Exit(128 + signals.number)
                _report(planned, title, ending)
                if ending.code:
                    say(f"Resume: {command}")
                    raise typer.Exit(1)


def _report(planned: "PlannedRun", title: str, ending: "Ending") -> None:
    from wsl.runs.summary import print_summary
    from wsl.watch.screen import advice, describe_failure, line

    state = ending.state
    if not ending.started:
        say(f"{title}: {'nothing to do' if ending.nothing else ending.printed}")
    else:
        say(f"{title}: {line(state)}")
        if console.is_terminal:  # elsewhere each has been printed already
            _list([f"warning: {text} ({job})" for text, job in state.warnings.items()])
        failed = state.of("failed")
        _list([describe_failure(seen, planned.results) for seen in failed])
        if ending.code and not failed:
            say(ending.printed)
    if not ending.code:
        if state is not None and state.missing:
            say(advice(state, planned.results))
        print_summary(planned.results)
    say(f"Full log: {ending.log}")


def _list(lines: list[str]) -> None:
    more = [f"and {len(lines) - MOST} more"] if lines[MOST:] else []
    for text in [*lines[:MOST], *more]:
        say(text)
