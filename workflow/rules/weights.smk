# Weights to latents: alignment, PCA of every named parameter, a budget of components, the weight encoder; and a bench
# that compares further weight encoders.

from wsl.evaluation.bench import BenchSettings
from wsl.paths import Paths

WEIGHTS = RUN.config.weights
# Jobs that load the weight encoder look its class up by name: it is named for the digest of their code.
ENCODER_ENTRIES = [type(WEIGHTS.encoder)]
FITTED_FILES, GATED_FILES = (
    [PATHS.pca(entry.name, stage) for entry in RUN.layout.entries] for stage in ("pca", "gated")
)
PCA_FILES = FITTED_FILES if WEIGHTS.budget is None else GATED_FILES
# Parameters with at most this many numbers are fitted in one job, since job start-up dominates.
SMALL = 2**14
LARGE = 2**18  # from this many numbers on, a GPU is faster
SMALL_NAMES = [entry.name for entry in RUN.layout.entries if entry.size <= SMALL]
ON_BENCH = RUN.config.encoders() if RUN.config.evaluation.bench.encoders else {}


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
        files["packed"] = PACKED
    return {**files, **other_zoos(encoder)}


def other_zoos(encoder):
    """Indices of the other runs that a weight encoder is fitted on."""
    zoos = [Paths.of_run(run).index("train") for run in encoder.other_runs]
    return {"other_zoos": zoos} if zoos else {}


# A copy of the zoo, as large as the zoo, so only on request.
if WEIGHTS.align:

    rule align_part:
        input:
            index=PATHS.index("{part}"),
            train_index=PATHS.index("train"),
        output:
            out=PATHS.index("{part}", aligned=True),
        log:
            PATHS.log("align_part/{part}"),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
            runtime=240,
        params:
            **call("wsl.weights.alignment.align_part", seed=RUN.seed("alignment")),
        script:
            CALL


ruleorder: fit_small_pca > fit_pca


rule fit_pca:
    input:
        index=index_of("train"),
    output:
        out=[PATHS.pca("{name}")],
    log:
        PATHS.log("fit_pca/{name}"),
    benchmark:
        PATHS.benchmark("fit_pca/{name}")
    conda:
        ENVIRONMENT
    resources:
        gpu=lambda wildcards: int(RUN.layout[wildcards.name].size >= LARGE),
        mem_mb=4000,
        runtime=60,
    params:
        **pca_params(lambda wildcards: [wildcards.name]),
    script:
        CALL


use rule fit_pca as fit_small_pca with:
    output:
        out=[PATHS.pca(name) for name in SMALL_NAMES],
    log:
        PATHS.log("fit_small_pca"),
    benchmark:
        PATHS.benchmark("fit_small_pca")
    resources:
        gpu=0,
        mem_mb=4000,
        runtime=60,
    params:
        **pca_params(SMALL_NAMES),


if WEIGHTS.budget is not None or ON_BENCH:

    rule measure_sensitivity:
        input:
            index=index_of("train"),
            fitted=FITTED_FILES,
            packed=PACKED,
        output:
            out=PATHS / "weights/sensitivity.csv",
        log:
            PATHS.log("measure_sensitivity"),
        conda:
            ENVIRONMENT
        resources:
            gpu=1,
            mem_mb=16000,
            runtime=60,
        params:
            **call(
                "wsl.weights.sensitivity.measure_sensitivity",
                recalibrated=RUN.config.sampling.recalibration.enabled,
                seed=RUN.seed("sensitivity"),
            ),
        script:
            CALL


if WEIGHTS.budget is not None:

    rule gate_components:
        input:
            **({"sensitivity": rules.measure_sensitivity.output.out} if WEIGHTS.gate == "function" else {}),
            fitted=FITTED_FILES,
        output:
            out=GATED_FILES,
        log:
            PATHS.log("gate_components"),
        localrule: True
        conda:
            ENVIRONMENT
        params:
            **call("wsl.weights.gate.gate_components", budget=WEIGHTS.budget),
        script:
            CALL


rule pca_table:
    input:
        fitted=PCA_FILES,
    output:
        out=table_file("pca"),
    log:
        PATHS.log("pca_table"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        **call("wsl.weights.coefficients.pca_table"),
    script:
        CALL


rule coefficients:
    input:
        index=lambda wildcards: index_of(wildcards.part),
        fitted=PCA_FILES,
    output:
        out=PATHS.coefficients("{part}"),
    log:
        PATHS.log("coefficients/{part}"),
    benchmark:
        PATHS.benchmark("coefficients/{part}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        **orders_params("wsl.weights.coefficients.encode_part"),
    script:
        CALL


rule train_weight_encoder:
    input:
        **encoder_inputs(WEIGHTS.encoder),
    output:
        out=PATHS.weight_encoder,
        history=PATHS / "weights/encoder_history.csv",
        checkpoints=PATHS / "weights/encoder_checkpoints.safetensors",
    log:
        PATHS.log("train_weight_encoder"),
    benchmark:
        PATHS.benchmark("train_weight_encoder")
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=480,
    params:
        **call(
            "wsl.weights.training.train_weight_encoder",
            ENCODER_ENTRIES,
            settings=WEIGHTS.encoder_fit(),
            orders_seed=RUN.seed("pca"),
            seed=RUN.seed("autoencoder"),
        ),
    script:
        CALL


rule embed_weights:
    input:
        index=lambda wildcards: index_of(wildcards.part),
        coefficients=PATHS.coefficients("{part}"),
        fitted=PCA_FILES,
        encoder=PATHS.weight_encoder,
    output:
        out=PATHS.latents("{part}"),
    log:
        PATHS.log("embed_weights/{part}"),
    benchmark:
        PATHS.benchmark("embed_weights/{part}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        **orders_params("wsl.weights.codec.embed_part", ENCODER_ENTRIES),
    script:
        CALL


# The bench: weight encoders besides the run's own, over one PCA with as many components as any of them needs.
WIDE_FILES = [PATHS.pca(entry.name, "bench/pca") for entry in RUN.layout.entries]
WIDE_COMPONENTS = max((weights.components for weights in ON_BENCH.values()), default=1)
BENCH_PARTS = [index_of(part) for part in ("test", "unseen") if part in RUN.parts]


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
    return (
        None if weights.encoder.reads_coefficients and weights.budget is not None else weights.encoder.first_stage_share
    )


if ON_BENCH:

    ruleorder: fit_wide_small_pca > fit_wide_pca

    use rule fit_pca as fit_wide_pca with:
        output:
            out=[PATHS.pca("{name}", "bench/pca")],
        log:
            PATHS.log("fit_wide_pca/{name}"),
        benchmark:
            PATHS.benchmark("fit_wide_pca/{name}")
        params:
            **pca_params(lambda wildcards: [wildcards.name], components=WIDE_COMPONENTS),

    use rule fit_small_pca as fit_wide_small_pca with:
        output:
            out=[PATHS.pca(name, "bench/pca") for name in SMALL_NAMES],
        log:
            PATHS.log("fit_wide_small_pca"),
        benchmark:
            PATHS.benchmark("fit_wide_small_pca")
        params:
            **pca_params(SMALL_NAMES, components=WIDE_COMPONENTS),

    use rule coefficients as wide_coefficients with:
        input:
            index=lambda wildcards: index_of(wildcards.part),
            fitted=WIDE_FILES,
        output:
            out=PATHS / "weights/bench/coefficients/{part}.h5",
        log:
            PATHS.log("wide_coefficients/{part}"),
        benchmark:
            PATHS.benchmark("wide_coefficients/{part}")

    use rule measure_sensitivity as measure_wide_sensitivity with:
        input:
            index=index_of("train"),
            fitted=WIDE_FILES,
            packed=PACKED,
        output:
            out=PATHS / "weights/bench/sensitivity.csv",
        log:
            PATHS.log("measure_wide_sensitivity"),

    rule measure_accuracies:
        input:
            indices=[index_of("train"), *BENCH_PARTS],
            packed=PACKED,
        output:
            out=PATHS / "evaluation/test_accuracies.csv",
        log:
            PATHS.log("measure_accuracies"),
        conda:
            ENVIRONMENT
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=120,
        params:
            **call("wsl.evaluation.probes.measure_accuracies"),
        script:
            CALL

    rule measure_encoder:
        input:
            unpack(lambda wildcards: other_zoos(ON_BENCH[wildcards.encoder].encoder)),
            **(
                {"sensitivity": rules.measure_wide_sensitivity.output.out}
                if any(weights.budget is not None and weights.gate == "function" for weights in ON_BENCH.values())
                else {}
            ),
            train_index=index_of("train"),
            validation_index=index_of("validation"),
            held_out=BENCH_PARTS,
            fitted=WIDE_FILES,
            train=PATHS / "weights/bench/coefficients/train.h5",
            validation=PATHS / "weights/bench/coefficients/validation.h5",
            packed=PACKED,
            accuracies=rules.measure_accuracies.output.out,
            class_means=PATHS.class_means,
            bins=PATHS.bins,
        output:
            out=PATHS / "evaluation/encoders/{encoder}.csv",
            probes=PATHS / "evaluation/encoders/{encoder}_probes.csv",
            history=PATHS / "evaluation/encoders/{encoder}_history.csv",
        log:
            PATHS.log("measure_encoder/{encoder}"),
        benchmark:
            PATHS.benchmark("measure_encoder/{encoder}")
        conda:
            ENVIRONMENT
        resources:
            gpu=1,
            mem_mb=24000,
            runtime=720,
        params:
            **call(
                "wsl.evaluation.encoders.measure_encoder",
                lambda wildcards: [
                    type(ON_BENCH[wildcards.encoder].encoder),
                    *(loss for loss, _ in RUN.config.shared.losses.used()),
                ],
                settings=lambda wildcards: bench_settings(wildcards.encoder),
                seeds={
                    "encoder": RUN.seed("autoencoder"),
                    "orders": RUN.seed("pca"),
                    "shared": RUN.seed("shared"),
                    "search": RUN.seed("search"),
                },
            ),
        script:
            CALL

    rule measure_baselines:
        input:
            train_index=index_of("train"),
            held_out=BENCH_PARTS,
            fitted=PCA_FILES,
            accuracies=rules.measure_accuracies.output.out,
        output:
            out=PATHS / "evaluation/probe_baselines.csv",
        log:
            PATHS.log("measure_baselines"),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=16000,
            runtime=120,
        params:
            **call("wsl.evaluation.probes.measure_baselines"),
        script:
            CALL

    rule encoder_tables:
        input:
            measured=expand(rules.measure_encoder.output.out, encoder=ON_BENCH),
            probes=expand(rules.measure_encoder.output.probes, encoder=ON_BENCH),
            histories=expand(rules.measure_encoder.output.history, encoder=ON_BENCH),
            baselines=rules.measure_baselines.output.out,
        output:
            out=table_file("weight_encoders"),
            probed=table_file("probes"),
            losses=PATHS / "evaluation/encoder_histories.csv",
        log:
            PATHS.log("encoder_tables"),
        localrule: True
        conda:
            ENVIRONMENT
        params:
            **call(
                "wsl.evaluation.encoder_tables.encoder_tables",
                encoders=[
                    {
                        "encoder": name,
                        "kind": weights.encoder.name,
                        "gate": "uniform" if weights.budget is None else weights.gate,
                        "share": share_of(weights),
                        "regime": RUN.config.zoo.init,
                    }
                    for name, weights in ON_BENCH.items()
                ],
            ),
        script:
            CALL
