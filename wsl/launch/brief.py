"""Short form of Snakemake's messages: one line per job; lists of files and reasons are in its log only."""

import logging
import re
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from wsl.jobs.process import error_in
from wsl.watch.record import job_name, rule_of

DRY = 20  # most jobs that a dry run lists
WIDTH = 100
PAUSE = 60.0  # seconds without a line after which progress gets its own line
# Messages at each start and step that do not help a user.
CHATTER = re.compile(
    r"Using workflow specific profile|Assuming unrestricted shared|Building DAG|Using shell|Provided cores"
    r"|Rules claiming more threads|Provided resources|Conda environments: ignored|Singularity containers: ignored"
    r"|Group jobs: inactive|Select jobs to execute|Execute \d+ jobs|Shutting down, this might|Terminating processes on"
    r"|Removing output files of failed job|Touching output file|Exiting because a job execution failed"
    r"|Rules with provenance triggered|Some jobs were triggered by provenance|\d+ jobs have (missing|outdated)"
    r"|RuleException:\nCalledProcess|(WorkflowError:\n)?At least one job did not complete"
)
# Lines that name places in Snakemake files, which do not help a user.
PLACES = re.compile(r'^ *(File ".*", line \d+, in .*|.*(Error|Exception) in (file|rule) .*line \d+:)$\n?', re.MULTILINE)


class BriefHandler(logging.StreamHandler):
    """Prints the short form of Snakemake's records, to the stream and with the filters of the handler it replaces.

    ``dry`` returns whether this is a dry run; it is called when Snakemake has read its arguments.
    """

    def __init__(self, full: logging.StreamHandler, dry: Callable[[], bool]):
        super().__init__(full.stream)
        self.dry, self.silent = dry, False
        self._progress, self._printed = "", 0.0
        self._jobs, self._counted = 0, False
        self.filters = list(full.filters)

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, unless its short form is empty."""
        text = "" if self.silent else self.brief(record)
        if text:
            self._printed = time.monotonic()
            super().emit(logging.makeLogRecord({"msg": text, "levelno": record.levelno}))

    def brief(self, record: logging.LogRecord) -> str:
        """Return the short form of a record; empty if it is left out."""
        event = str(getattr(record, "event", ""))
        if event == "job_info":
            return self._dry_job(record) if self.dry() else f"{self._now()} starts {_name(record)}"
        if event == "progress":
            self._progress = f"{record.done} of {record.total} done, "
            late = time.monotonic() - self._printed > PAUSE or record.done == record.total
            return self._now().rstrip(",") if late else ""
        if event == "job_error":
            return self._error(record)
        if event == "run_info":
            self._counted, counted = True, self._counted
            return "" if counted else _counts(record.stats)
        if event in ("job_finished", "job_started", "group_info", "shellcmd", "resources_info", "workflow_started"):
            return ""
        return _message(str(record.msg or ""), record.levelno)

    def _now(self) -> str:
        return f"{time.strftime('%H:%M:%S')} {self._progress}".rstrip()

    def _dry_job(self, record: logging.LogRecord) -> str:
        self._jobs += 1
        if self._jobs > DRY + 1:
            return ""
        if self._jobs == DRY + 1:
            return "... and more jobs; Snakemake's options `-n --quiet host` show all, with their files and reasons"
        why = textwrap.shorten(str(record.reason), WIDTH, placeholder=" ...") if record.reason else ""
        return f"would run {_name(record)}" + (f" ({why})" if why else "")

    @staticmethod
    def _error(record: logging.LogRecord) -> str:
        if not record.log:
            return f"FAILED {_name(record)}"
        error = None
        with suppress(OSError):
            error = error_in(Path(record.log[0]).read_text(encoding="utf-8", errors="replace"))
        error = error or "the log contains no error (was the job killed, or out of memory?)"
        return f"FAILED {_name(record)} (rule {record.rule_name}): {error}\n    log: {record.log[0]}"


def _name(record: logging.LogRecord) -> str:
    """Return a job's name, as in the path of its log: ``results/<run>/logs/train_cohort/00017.log``."""
    inside = record.log[0].partition("/logs/")[2] if record.log else ""
    return job_name(inside) or record.rule_name  # a rule of a Snakefile that uses the workflow as a module


def _message(text: str, level: int) -> str:
    """Return a message that is not about a job, wrapped; empty if it is left out."""
    if CHATTER.match(text.lstrip()):
        return ""
    if level >= logging.ERROR:
        return PLACES.sub("", text).strip()
    lines = text.splitlines()
    if text.startswith("Reasons:"):  # one per line, with the rules that run for it; numbered rules would repeat
        lines = [
            ", ".join(dict.fromkeys(re.sub(r"_\d+$", "", rule) for rule in line.split(", ")))
            for line in lines
            if "check individual jobs" not in line
        ]
    return "\n".join(map(_wrapped, lines))


def _counts(stats: Mapping[str, int]) -> str:
    """Return the number of jobs per rule; the numbered rules of lists of classes count as one."""
    counts: Counter[str] = Counter()
    for rule, count in stats.items():
        counts[rule_of(rule)] += count
    width = max(map(len, counts))
    return "Jobs:\n" + "\n".join(f"    {rule:{width}} {count:>6}" for rule, count in counts.items())


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def print_in_brief(logger: logging.Logger, dry: Callable[[], bool]) -> Callable[[], None]:
    """Make Snakemake's logger print the short form of its records; its log file contains everything.

    Returns:
        A function that stops all printing.
    """
    handlers = []
    for handler in list(logger.handlers):
        if isinstance(handler, logging.FileHandler):
            if hasattr(handler.formatter, "quiet"):
                handler.formatter.quiet = set()
        elif isinstance(handler, logging.StreamHandler):
            handlers.append(BriefHandler(handler, dry))
            logger.removeHandler(handler)
            logger.addHandler(handlers[-1])

    def silence() -> None:
        for handler in handlers:
            handler.silent = True

    return silence
