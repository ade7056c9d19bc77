# Everything that the rules share: the checked config, the plan, where things lie, and what makes a job stale.

import os
import sys

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.enums import Quietness

# The library beside this workflow, whatever is installed: it is the one whose digest makes jobs stale.
sys.path.insert(0, workflow.basedir)

from wsl.config.reading import read_yaml
from wsl.devices import describe_devices
from wsl.disk import check_disk
from wsl.errors import ConfigError, DataError
from wsl import provenance
from wsl.recipe import Recipe
from wsl.report.facts import facts
from wsl.run import Run
from wsl.sections import plain
from wsl.summary import print_summary
from wsl.text import forgive_output
from wsl.watch.record import write_record
from wsl.watch.steps import COMPLETED, FAILED, INTERRUPTED, StepsHandler
from wsl.launch.brief import print_in_brief
from wsl.launch.stopping import FULL, PREFIX, Stopping, this_command
from wsl.zoo.few_sets import few_sets

# Jobs ignore Ctrl-C: the main process receives it, and stops them.
shell.prefix(PREFIX)
STOPPING = Stopping(this_command(FULL))
if workflow.is_main_process:
    STOPPING.install()
    # `--quiet host` in place of the profile's prints everything.
    if Quietness.REASON in (workflow.output_settings.quiet or ()):
        STOPPING.at_stop(print_in_brief(logger, lambda: workflow.dryrun))


wildcard_constraints:
    name=r"[^/]+",
    member=r"\d{5,7}",
    part="train|validation|test|unseen",


def refuse(check):
    try:
        return check()
    except (ConfigError, DataError, OSError) as error:
        raise WorkflowError(str(error))


forgive_output()
for path in workflow.configfiles:
    refuse(lambda: read_yaml(path))  # Snakemake's own reader takes the last of two equal keys
RUN = refuse(lambda: Run(config))

PATHS = RUN.paths
OUT = PATHS.folder
STEPS = StepsHandler(OUT)
LOGS = f"{OUT}/logs"
ENVIRONMENT = str(Path(workflow.basedir, "environment.yml"))
CALL = "../scripts/call.py"
# Lists of all packed classes and of all class means: a job that reads them all depends on one file. Were each of a
# thousand classes an input of each such job, planning would take seconds longer.
PACKED = f"{OUT}/images/all.json"
CLASS_MEANS = f"{OUT}/datasets/class_means.json"
# What stands for a class is one file, whichever encoder made it. With the thesis' the file of CLIP features is that.
FEATURES = f"{OUT}/datasets/{'class_means' if RUN.config.datasets.encoder == 'clip' else 'clip'}"
# Captions are templates over these facts. Snakemake's report finds them in its config, which no job depends on.
FACTS = facts(RUN)
config["facts"] = FACTS
# As seen from the working directory, so that a project that was moved is not stale.
CAPTIONS = sorted(
    os.path.relpath(path)
    for path in Path(workflow.basedir, "workflow", "report").glob("*.rst")
    if path.name != "workflow.rst"
)


report: "../report/workflow.rst"


def settings(**keys):
    """One dict of plain values with sorted keys: Snakemake compares the *set* of a job's parameters, so two swapped
    values would go unseen if each were a parameter of its own."""
    return plain(keys)


ARCHITECTURE = type(RUN.config.zoo.architecture)


def call_digest(function, *entries):
    return provenance.call_digest(function, *entries, architecture=ARCHITECTURE)


def recipe_of(section):
    return {key: getattr(section, key) for key in Recipe.model_fields}


def call(function, entries=(), **values):
    """The params of a rule: the function that makes its outputs, a digest of its code, and its settings.

    Args:
        function: dotted name, or a function of the wildcards that returns one.
        entries: registered classes that the function looks up by name, or a function of the wildcards.
        values: arguments besides files: sections of the config, plain values, or functions of the wildcards.
    """

    def of(value, wildcards):
        return value(wildcards) if callable(value) and not isinstance(value, type) else value

    def code(wildcards):
        return call_digest(of(function, wildcards), *of(entries, wildcards))

    def given(wildcards):
        return plain({key: of(value, wildcards) for key, value in values.items()})

    by_job = callable(function) or callable(entries), any(map(callable, values.values()))
    return {
        "call": function,
        "code": code if by_job[0] else code(None),
        "settings": given if by_job[1] else given(None),
    }


def checked(path, sha256):
    return ensure(path, sha256=sha256) if sha256 else path


def packed(names):
    return [f"{OUT}/images/{name}.h5" for name in names]


def features(names):
    return [f"{FEATURES}/{name}.h5" for name in names]


def packing_of(names):
    return settings(source=RUN.config.images.source, classes=[plain(RUN.packing(name)) for name in names])


def embedding_of(names):
    return settings(prompts=[RUN.prompts(name) for name in names], seed=RUN.seed("clip"), **EMBEDDING)


def recorded_jobs(dag):
    """All jobs that make files, in the order of their rules: what `wsl watch` compares the run with."""
    places = {rule.name: place for place, rule in enumerate(workflow.rules)}
    jobs = [job for job in sorted(dag.jobs, key=lambda job: places[job.rule.name]) if job.output]
    place_of = {job: place for place, job in enumerate(jobs)}
    return [
        {
            "outputs": list(map(str, job.output)),
            "log": str(job.log[0]),
            "history": job.output.get("history"),
            "due": dag.needrun(job),
            "needs": sorted(place_of[need] for need in dag.dependencies[job]),
            "share": taken_by(job),
        }
        for job in jobs
    ]


def taken_by(job):
    """The share of what this start may use at once that a job takes: of cores and devices, or of a cluster's jobs."""
    if not workflow.is_local(job.rule):
        return 1 / workflow.nodes
    limits = workflow.global_resources
    # Numbers or objects, by the version of Snakemake; on a cluster, cores may be unlimited.
    cores, devices = (getattr(limits.get(name), "value", limits.get(name)) for name in ("_cores", "gpu"))
    shares = [job.threads / min(cores or 1, os.cpu_count())]
    if devices:
        shares.append(job.scheduler_resources.get("gpu", 0) / devices)
    return min(max(shares), 1)


def member_files(part):
    return expand(f"{OUT}/zoo/members/{{member}}.h5", member=RUN.members(part))


def cohort_members(cohort, ending=""):
    """Names of a cohort's members: a digit or two after the cohort's own."""
    digits = len(str(RUN.config.zoo.cohort)) - 1
    return [f"{cohort}{place:0{digits}d}{ending}" for place in range(RUN.config.zoo.cohort)]


def index_of(part):
    """The index that all after the zoo reads: of its members as they are, or permuted onto one."""
    return f"{OUT}/{'weights/aligned' if RUN.config.weights.align else 'zoo'}/{part}.h5"


def figure_files(name, category, title):
    """Vector and bitmap of a figure; the bitmap stands in the report, since browsers show it everywhere."""
    labels = {"figure": title}
    caption = f"../report/{name}.rst"
    return {
        "pdf": f"{OUT}/figures/{name}.pdf",
        "png": report(f"{OUT}/figures/{name}.png", caption=caption, category=category, labels=labels),
    }
