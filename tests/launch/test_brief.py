"""The short form of Snakemake's records."""

import io
import logging

import pytest

from wsl.launch.brief import DRY, BriefHandler, print_in_brief

FILES = [f"results/tiny/images/{number}.h5" for number in range(1000)]


@pytest.fixture
def printed():
    """A logger like Snakemake's: ``printed(dry)`` returns it, and what it prints."""
    loggers = []

    def make(dry=False):
        logger = logging.Logger(f"made-up {len(loggers)}")
        stream = io.StringIO()
        logger.addHandler(logging.StreamHandler(stream))
        silence = print_in_brief(logger, lambda: dry)
        loggers.append(logger)
        return logger, stream.getvalue, silence

    return make


def job(number=17, **more):
    """A record of Snakemake about a job."""
    name = f"train_cohort/{number:05d}"
    about = {"rule_name": "train_cohort", "jobid": number, "log": [f"results/tiny/logs/{name}.log"]}
    reason = "Input files updated by another job: " + ", ".join(FILES)
    return {"event": "job_info", **about, "input": FILES, "output": FILES, "reason": reason, **more}


def test_a_job_is_one_short_line(printed):
    logger, text, _ = printed()
    logger.info(None, extra=job())
    logger.info(None, extra={"event": "progress", "done": 1, "total": 65})
    logger.info("Finished jobid: 17 (Rule: train_cohort)", extra={"event": "job_finished", "job_id": 17})
    logger.info("Select jobs to execute...")
    logger.info("Execute 1 jobs...", extra={"event": "job_started", "jobs": [18]})
    logger.info(None, extra=job(18))
    lines = text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "starts train_cohort/00017",
        "1 of 65 done, starts train_cohort/00018",
    ]


@pytest.mark.parametrize("log", [[], ["logs/publish.log"]])
def test_a_job_of_another_snakefile_has_the_name_of_its_rule(printed, log):
    logger, text, _ = printed()
    logger.info(None, extra=job(rule_name="publish", log=log))
    assert text().endswith(" starts publish\n")


def test_the_last_step_is_printed(printed):
    logger, text, _ = printed()
    logger.info(None, extra=job())
    logger.info(None, extra={"event": "progress", "done": 65, "total": 65})
    assert text().endswith(" 65 of 65 done\n")


def test_a_dry_run_names_some_jobs_and_counts_all(printed):
    logger, text, _ = printed(dry=True)
    for _ in range(2):  # Snakemake prints it before and after the jobs
        stats = {"pack_classes_0": 1, "pack_classes_1": 1, "train_cohort": 1000, "total": 1002}
        logger.info("Job stats: ...", extra={"event": "run_info", "stats": stats})
    for number in range(1000):
        logger.info(None, extra=job(number))
    lines = text().splitlines()
    table = [line.split() for line in lines[:4]]
    assert table == [["Jobs:"], ["pack_classes", "2"], ["train_cohort", "1000"], ["total", "1002"]]
    assert text().count("Jobs:") == 1
    assert sum(line.startswith("would run train_cohort/") for line in lines) == DRY
    assert max(map(len, lines)) < 200 and "--quiet host" in lines[-1]


@pytest.mark.parametrize(
    "log, error",
    [
        (
            "2025-03-04 05:06:07,250 ERROR the job failed\nTraceback ...\nValueError: no images\n",
            "ValueError: no images",
        ),
        ("2025-03-04 05:06:07,250 INFO member 17, epoch 3: train 1, validation 1\n", "the log contains no error"),
        (None, "the log contains no error"),
    ],
)
def test_a_failed_job_shows_rule_log_and_error(printed, tmp_path, monkeypatch, log, error):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / job()["log"][0]
    path.parent.mkdir(parents=True)
    if log is not None:
        path.write_text(log)
    logger, text, _ = printed()
    logger.error("RuleException:\nCalledProcessError in file ...")
    logger.error(None, extra=job(event="job_error"))
    first, second = text().splitlines()
    assert first.startswith(f"FAILED train_cohort/00017 (rule train_cohort): {error}")
    assert second == "    log: results/tiny/logs/train_cohort/00017.log"


def test_of_a_refused_config_only_the_message_is_printed(printed):
    logger, text, _ = printed()
    where = 'WorkflowError in file "/home/me/wsl/workflow/rules/common.smk", line 29:'
    place = '  File "/home/me/wsl/workflow/rules/common.smk", line 32, in <module>'
    logger.error(f"{where}\nthe config cannot be run:\n  sed: unknown key\n{place}")
    assert text() == "the config cannot be run:\n  sed: unknown key\n"


def test_other_messages_are_printed_until_it_is_silenced(printed):
    logger, text, silence = printed()
    logger.warning("Something odd")
    silence()
    logger.error("RuntimeError in a job that was stopped")
    assert text() == "Something odd\n"


def test_reasons_name_each_rule_once(printed):
    logger, text, _ = printed(dry=True)
    rules = ", ".join(f"pack_classes_{number}" for number in range(40))
    logger.info(
        f"Reasons:\n    (check individual jobs above for details)\n    params have changed:\n        all, {rules}"
    )
    assert text() == "Reasons:\n    params have changed:\n        all, pack_classes\n"


def test_the_log_file_contains_reasons(tmp_path):
    class Formatter(logging.Formatter):
        quiet = frozenset({"reason"})

    file = logging.FileHandler(tmp_path / "snakemake.log")
    file.setFormatter(Formatter())
    logger = logging.Logger("made-up")
    logger.addHandler(file)
    print_in_brief(logger, lambda: False)
    assert logger.handlers == [file] and not file.formatter.quiet
    file.close()


def test_filters_and_the_stream_are_kept():
    stream = io.StringIO()
    full = logging.StreamHandler(stream)
    full.addFilter(lambda record: "secret" not in str(record.msg))
    brief = BriefHandler(full, lambda: False)
    for text in ("a secret", "a word"):
        brief.handle(logging.makeLogRecord({"msg": text, "levelno": logging.INFO}))
    assert stream.getvalue() == "a word\n"
