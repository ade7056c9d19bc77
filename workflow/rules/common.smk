# Shared by all rules: the checked config, paths, params with a digest of the code, and functions that list files.

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.enums import Quietness

# Not `workflow.basedir`: in a module, it is the folder of the Snakefile that uses the module.
FOLDER = Path(str(workflow.current_basedir)).parent
# Import the library next to this workflow, if there is one, and not an installed one: the digest of its code decides
# which jobs are stale.
if Path(FOLDER.parent, "wsl", "__init__.py").is_file():
    sys.path.insert(0, str(FOLDER.parent))

try:
    from wsl.config.reading import read_yaml
    from wsl.errors import ConfigError, DataError
    from wsl.evaluation.bench import BenchSettings
    from wsl.files.text import forgive_output
    from wsl.jobs.provenance import call_digest
    from wsl.launch.brief import print_in_brief
    from wsl.launch.stopping import FULL, PREFIX, Stopping, this_command
    from wsl.paths import Paths
    from wsl.report.contents import TABLES
    from wsl.report.facts import facts
    from wsl.runs.borrowed import described, zoo_seed
    from wsl.runs.run import Run
    from wsl.sampling.inputs import choice_of, draws
    from wsl.sampling.methods.base import METHODS, Method
    from wsl.settings.sections import plain
except ImportError as error:
    raise WorkflowError(
        f"{sys.executable} cannot import the library of this workflow ({error}). Install the version that belongs to "
        "the workflow: pip install 'weight-space-learning[workflow]'"
    )

# Jobs ignore Ctrl-C; the main process receives it and stops them.
shell.prefix(PREFIX)
if "wsl_stopping" not in vars(workflow):  # a module may be read several times, see handlers.smk
    workflow.wsl_stopping = Stopping(this_command(FULL))
    if workflow.is_main_process:
        workflow.wsl_stopping.install()
        # `--quiet host` replaces the profile's setting and prints everything.
        if Quietness.REASON in (workflow.output_settings.quiet or ()):
            workflow.wsl_stopping.at_stop(print_in_brief(logger, lambda: workflow.dryrun))
STOPPING = workflow.wsl_stopping


wildcard_constraints:
    name=r"[^/]+",
    part="train|validation|test|unseen",


def refuse(check):
    try:
        return check()
    except (ConfigError, DataError, OSError) as error:
        raise WorkflowError(str(error))


forgive_output()
MODULE = not workflow.modifier.is_main_snakefile()
if MODULE and not config:
    raise WorkflowError("a module of wsl needs a config; write `config: config` into its `module` statement")
for path in workflow.configfiles:
    refuse(lambda: read_yaml(path))  # Snakemake's own reader keeps the last of two equal keys
# A module is read again for each rule that is changed by `use rule ... with`; then its config contains the facts below.
RUN = refuse(lambda: Run({key: value for key, value in config.items() if not (MODULE and key == "facts")}))

if RUN.borrowed:  # jobs look up the members' architecture
    config["plugins"] = [*map(str, dict.fromkeys([*RUN.config.plugins, *RUN.borrowed.plugins]))]
PATHS = RUN.paths
OUT = PATHS.folder
if workflow.modifier.modify_path(OUT) != OUT:
    raise WorkflowError(
        "a module of wsl takes no `prefix` and no `replace_prefix`, since the files of a run name each other; remove it "
        "from the `module` statement, and choose the run's folder by the key `run`, or start in another folder"
    )
ENVIRONMENT = "../envs/job.yaml"
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


MOST_CLASSES = 100  # of a cohort whose images are inputs one by one


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
    """Return what the jobs of a method look up by name: methods, and the weight encoder if it decodes."""
    decodes = "encoder" in METHODS[method].files(RUN, 0)
    classes = [METHODS[name] for name in (method, *METHODS[method].builds_on(RUN))]
    return [
        # With their bases, since a class that is made in a loop may bear the name of another module.
        *(base for one in classes for base in one.__mro__ if issubclass(base, Method)),
        *(ENCODER_ENTRIES if decodes else []),
    ]


def cohort(wildcards):
    """The members of a cohort."""
    return RUN.cohorts[wildcards.cohort]


def images_of_cohort(wildcards):
    """The packed images of its classes; the list of all if they are many, whose planning would take most of it."""
    names = RUN.cohort_classes(cohort(wildcards))
    return packed(names) if len(names) <= MOST_CLASSES else PATHS.all_packed


def network_label(wildcards):
    """The label of the architecture, which the members of a cohort share."""
    return RUN.label(cohort(wildcards)[0])


def members_of(wildcards):
    """The members of a part, in a mixed zoo those of one architecture."""
    return RUN.members(wildcards.part, wildcards.get("label"))


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


def of_draws(path, methods):
    """A file of every draw of some methods."""
    return [path.format(method=method, draw=draw) for method, draw in draws(RUN, methods)]


def of_samplers(path):
    """A file of every sampler and draw."""
    return of_draws(path, SAMPLING.samplers)


def caption_file(name, plugin=None):
    """The caption of a figure or table, as seen from the working directory, so that a moved project is not stale."""
    path = plugin or Path(FOLDER, "report", f"{name}.rst")
    # A workflow that Snakemake reads from a git repository has no folder.
    return os.path.relpath(path if path.is_file() else workflow.source_path(f"../report/{name}.rst"))
