# Shared by all rules: the checked config, paths, params with a digest of the code, and functions that list files.

import os
import sys

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.enums import Quietness

# Import the library next to this workflow, not an installed one: the digest of its code decides which jobs are stale.
sys.path.insert(0, workflow.basedir)

from wsl.config.reading import read_yaml
from wsl.errors import ConfigError, DataError
from wsl.evaluation.bench import BenchSettings
from wsl.files.text import forgive_output
from wsl.jobs.devices import describe_devices
from wsl.jobs.provenance import call_digest
from wsl.launch.brief import print_in_brief
from wsl.launch.serving import FEWEST, JobServer, modules_of
from wsl.launch.stopping import FULL, PREFIX, Stopping, this_command
from wsl.paths import Paths
from wsl.report.contents import TABLES, planned_warnings
from wsl.report.facts import facts
from wsl.runs.disk import check_disk
from wsl.runs.run import Run
from wsl.runs.summary import print_summary
from wsl.sampling.inputs import choice_of, draws
from wsl.sampling.methods.base import METHODS
from wsl.settings.sections import plain
from wsl.watch.record import COMPLETED, FAILED, INTERRUPTED, StepsHandler, write_record

# Jobs ignore Ctrl-C; the main process receives it and stops them.
shell.prefix(PREFIX)
STOPPING = Stopping(this_command(FULL))
SERVER = JobServer(PREFIX, lambda: STOPPING.number is not None)
if workflow.is_main_process:
    STOPPING.install()
    # `--quiet host` replaces the profile's setting and prints everything.
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
    refuse(lambda: read_yaml(path))  # Snakemake's own reader keeps the last of two equal keys
RUN = refuse(lambda: Run(config))

PATHS = RUN.paths
OUT = PATHS.folder
STEPS = StepsHandler(OUT)
ENVIRONMENT = str(Path(workflow.basedir, "environment.yml"))
CALL = "../scripts/call.py"
# Each class has one file, whichever dataset encoder made it. With the encoder of the thesis it contains CLIP features.
FEATURES = f"{OUT}/datasets/{'clip' if RUN.config.datasets.encoder.embed else 'class_means'}"
# Captions are templates over these facts. Snakemake's report finds them in its config, which no job depends on.
FACTS = facts(RUN)
config["facts"] = FACTS


report: "../report/workflow.rst"


# Empty: imported networks of an unknown architecture, which no job builds. Adapters have two: theirs and the frozen one.
KINDS = [type(part) for one in RUN.config.zoo.architectures.values() for part in (one, one.whole)]
ARCHITECTURES = list(dict.fromkeys(KINDS))
WEIGHTS, SAMPLING = RUN.config.weights, RUN.config.sampling
# Jobs that load the weight encoder look its class up by name, so their digest needs its code.
ENCODER_ENTRIES = [type(WEIGHTS.encoder)]
FITTED_FILES, GATED_FILES = (
    [] if RUN.mixed else [PATHS.pca(entry.name, stage) for entry in RUN.layout.entries] for stage in ("pca", "gated")
)
PCA_FILES = FITTED_FILES if WEIGHTS.budget is None else GATED_FILES
ON_BENCH = RUN.config.encoders() if RUN.config.evaluation.bench.encoders else {}


def call(function, entries=(), **values):
    """Return the params of a rule: the function that creates its outputs, a digest of its code, and its settings.

    Args:
        function: dotted name, or a function of the wildcards that returns one.
        entries: registered classes that the function looks up by name, or a function of the wildcards.
        values: arguments besides files: sections of the config, plain values, or functions of the wildcards.
    """

    def of(value, wildcards):
        return value(wildcards) if callable(value) and not isinstance(value, type) else value

    def code(wildcards):
        return call_digest(of(function, wildcards), *of(entries, wildcards), architectures=ARCHITECTURES)

    # One parameter for all values: Snakemake compares the *set* of a job's parameters, so it would miss two swapped
    # values if each were a parameter.
    def given(wildcards):
        return plain({key: of(value, wildcards) for key, value in values.items()})

    # Without wildcards, once for all jobs of the rule.
    return {
        "call": function,
        "code": code if callable(function) or callable(entries) else code(None),
        "settings": given if any(map(callable, values.values())) else given(None),
    }


def checked(path, sha256):
    return ensure(path, sha256=sha256) if sha256 else path


def packed(names):
    return [PATHS.packed(name) for name in names]


def features(names):
    return [f"{FEATURES}/{name}.h5" for name in names]


def class_jobs(one, several):
    """Yield the rules that make files of classes, one for each group of classes that a job makes together.

    Args:
        one: name of the only rule, with a wildcard, where each job makes the files of one class.
        several: beginning of the rules' names otherwise, since no wildcard can stand for several classes.

    Yields:
        A rule's name, the name of its log, the names in its files, and a function of the wildcards that returns the
        names of its classes.
    """
    if RUN.config.images.classes_per_job == 1:
        yield one, f"{one}/{{name}}", ["{name}"], lambda wildcards: [wildcards.name]
    else:
        for number, names in enumerate(RUN.class_groups):
            yield f"{several}_{number}", f"{several}_{number}", names, lambda wildcards, names=names: names


def recorded_jobs(dag):
    """Return all jobs that create files, in the order of their rules; `wsl watch` compares the run with them."""
    places = {rule.name: place for place, rule in enumerate(workflow.rules)}
    jobs = [job for job in sorted(dag.jobs, key=lambda job: places[job.rule.name]) if job.output]
    place_of = {job: place for place, job in enumerate(jobs)}
    return [
        {
            "outputs": list(map(str, job.output)),
            "log": str(job.log[0]),
            "due": dag.needrun(job),
            "needs": sorted(place_of[need] for need in dag.dependencies[job]),
            "share": taken_by(job),
        }
        for job in jobs
    ]


def start_server(jobs):
    """Start the server of jobs if enough of them run on this machine, in this Python."""
    jobs = [job for job in jobs if job.rule.script and job.params.get("call")]
    here = workflow.is_main_process and workflow.local_exec and not workflow.touch
    if here and not workflow.deployment_settings.deployment_method and len(jobs) >= FEWEST:
        one_per_rule = {job.rule: job for job in jobs}.values()
        SERVER.start(modules_of(job.params.call for job in one_per_rule), sys.modules["snakemake.shell"])
        STOPPING.at_stop(SERVER.stop)


def taken_by(job):
    """Return the fraction of this start's resources that a job takes: of cores and GPUs, or of a cluster's jobs."""
    if not workflow.is_local(job.rule):
        return 1 / workflow.nodes
    limits = workflow.global_resources
    # Numbers or objects, depending on the version of Snakemake; on a cluster, cores may be unlimited.
    cores, devices = (getattr(limits.get(name), "value", limits.get(name)) for name in ("_cores", "gpu"))
    shares = [job.threads / min(cores or 1, os.cpu_count())]
    if devices:
        shares.append(job.scheduler_resources.get("gpu", 0) / devices)
    return min(max(shares), 1)


def member_files(part, label=None):
    return [*map(RUN.member_file, RUN.members(part, label))]


def cohort_members(cohort, ending=""):
    """Return the names of a cohort's members: the cohort's number and one or two more digits."""
    digits = len(str(RUN.config.zoo.cohort)) - 1
    return [f"{cohort}{place:0{digits}d}{ending}" for place in range(RUN.config.zoo.cohort)]


def index_of(part):
    """Return the index that all stages after the zoo read: of members as trained, or aligned by permutation."""
    return PATHS.index(part, RUN.config.weights.align)


def table_file(name):
    """A table that stands in the report, see wsl.report.contents."""
    table = TABLES[name]
    labels = {"table": table.title}
    return report(PATHS.table(name), caption=f"../report/{name}.rst", category=table.category, labels=labels)


def pca_params(names, **changes):
    """The params of fitting named parameters; ``names`` may be a function of the wildcards."""
    return call(
        "wsl.weights.pca.fit_parameters",
        names=names,
        settings=WEIGHTS.pca(**changes),
        orders=WEIGHTS.orders,
        seed=RUN.seed("pca"),
    )


def orders_params(function, entries=()):
    """The params of encoding a part in several class orders; with the seed of PCA, so that both use the same orders."""
    orders = lambda wildcards: WEIGHTS.orders if wildcards.part == "train" else 1
    return call(function, entries, orders=orders, seed=RUN.seed("pca"))


def encoder_inputs(encoder):
    """Files that a weight encoder is fitted on, by the names of ``EncoderInputs``."""
    files = {f"{part}_index": index_of(part) for part in ("train", "validation")}
    if encoder.reads_coefficients:
        files |= {part: PATHS.coefficients(part) for part in ("train", "validation")} | {"fitted": PCA_FILES}
    if encoder.reads_images:
        files["packed"] = PATHS.all_packed
    return {**files, **other_zoos(encoder)}


def other_zoos(encoder):
    """Indices of the other runs that a weight encoder is fitted on."""
    zoos = [Paths.of_run(run).index("train") for run in encoder.other_runs]
    return {"other_zoos": zoos} if zoos else {}


def bench_settings(name):
    """How an encoder on the bench is fitted and measured."""
    weights = ON_BENCH[name]
    return BenchSettings(
        encoder=weights.encoder,
        orders=weights.orders,
        components=weights.components,
        budget=weights.budget,
        gate=weights.gate,
        search=RUN.config.search_with(name),
        shared=RUN.config.shared,
    )


def share_of(weights):
    """The fraction of the compression by the first of two stages: 0 where PCA does all, None without such stages."""
    by_budget = weights.encoder.reads_coefficients and weights.budget is not None
    return None if by_budget else weights.encoder.first_stage_share


def entries_of(method):
    """Return what the jobs of a method look up by name: itself, and the weight encoder if it decodes."""
    return [METHODS[method], *(ENCODER_ENTRIES if "encoder" in METHODS[method].files(RUN, 0) else [])]


def method_files(wildcards):
    """The files of a method and draw."""
    return METHODS[wildcards.method].files(RUN, int(wildcards.draw))


def judging(function, **values):
    """The params of a rule that loads the method and draw of its wildcards."""
    return call(
        function,
        lambda wildcards: entries_of(wildcards.method),
        choice=lambda wildcards: choice_of(RUN, wildcards.method, int(wildcards.draw)),
        **values,
    )


def of_samplers(path):
    """A file of every sampler and draw."""
    return [path.format(method=method, draw=draw) for method, draw in draws(RUN, SAMPLING.samplers)]


def caption_file(name, plugin=None):
    """The caption of a figure or table, as seen from the working directory, so that a moved project is not stale."""
    return os.path.relpath(plugin or Path(workflow.basedir, "workflow", "report", f"{name}.rst"))
