# Weights to latents: alignment, PCA of every named parameter, a budget of components, the weight encoder; and a bench
# that compares further weight encoders.

# Parameters with at most this many numbers are fitted in one job, since job start-up dominates.
SMALL = 2**14
LARGE = 2**18  # from this many numbers on, a GPU is faster
SMALL_NAMES = [entry.name for entry in RUN.layout.entries if entry.size <= SMALL]


# A copy of the zoo, as large as the zoo, so only on request.
if WEIGHTS.align:

    use rule job as align_part with:
        input:
            index=PATHS.index("{part}"),
            train_index=PATHS.index("train"),
        output:
            out=PATHS.index("{part}", aligned=True),
        log:
            PATHS.log("align_part/{part}"),
        resources:
            mem_mb=4000,
            runtime=240,
        params:
            **call("wsl.weights.alignment.align_part", seed=RUN.seed("alignment")),


ruleorder: fit_small_pca > fit_pca


use rule job as fit_pca with:
    input:
        index=index_of("train"),
    output:
        out=[PATHS.pca("{name}")],
    log:
        PATHS.log("fit_pca/{name}"),
    benchmark:
        PATHS.benchmark("fit_pca/{name}")
    resources:
        gpu=lambda wildcards: int(RUN.layout[wildcards.name].size >= LARGE),
        mem_mb=4000,
        runtime=60,
    params:
        **pca_params(lambda wildcards: [wildcards.name]),


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

    use rule job as measure_sensitivity with:
        input:
            index=index_of("train"),
            fitted=FITTED_FILES,
            packed=PATHS.all_packed,
        output:
            out=PATHS / "weights/sensitivity.csv",
        log:
            PATHS.log("measure_sensitivity"),
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


if WEIGHTS.budget is not None:

    use rule job as gate_components with:
        input:
            **({"sensitivity": rules.measure_sensitivity.output.out} if WEIGHTS.gate == "function" else {}),
            fitted=FITTED_FILES,
        output:
            out=GATED_FILES,
        log:
            PATHS.log("gate_components"),
        localrule: True
        params:
            **call("wsl.weights.gate.gate_components", budget=WEIGHTS.budget),


use rule job as pca_table with:
    input:
        fitted=PCA_FILES,
    output:
        out=table_file("pca"),
    log:
        PATHS.log("pca_table"),
    localrule: True
    params:
        **call("wsl.weights.coefficients.pca_table"),


use rule job as coefficients with:
    input:
        index=lambda wildcards: index_of(wildcards.part),
        fitted=PCA_FILES,
    output:
        out=PATHS.coefficients("{part}"),
    log:
        PATHS.log("coefficients/{part}"),
    benchmark:
        PATHS.benchmark("coefficients/{part}")
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        **orders_params("wsl.weights.coefficients.encode_part"),


use rule job as train_weight_encoder with:
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


use rule job as embed_weights with:
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
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        **orders_params("wsl.weights.codec.embed_part", ENCODER_ENTRIES),


# The bench: weight encoders besides the run's own, over one PCA with as many components as any of them needs.
WIDE_FILES = [PATHS.pca(entry.name, "bench/pca") for entry in RUN.layout.entries]
WIDE_COMPONENTS = max((weights.components for weights in ON_BENCH.values()), default=1)
BENCH_PARTS = [index_of(part) for part in ("test", "unseen") if part in RUN.parts]


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
            packed=PATHS.all_packed,
        output:
            out=PATHS / "weights/bench/sensitivity.csv",
        log:
            PATHS.log("measure_wide_sensitivity"),

    use rule job as measure_accuracies with:
        input:
            indices=[index_of("train"), *BENCH_PARTS],
            packed=PATHS.all_packed,
        output:
            out=PATHS / "evaluation/test_accuracies.csv",
        log:
            PATHS.log("measure_accuracies"),
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=120,
        params:
            **call("wsl.evaluation.accuracies.measure_accuracies"),

    use rule job as measure_encoder with:
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
            packed=PATHS.all_packed,
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

    use rule job as measure_baselines with:
        input:
            train_index=index_of("train"),
            held_out=BENCH_PARTS,
            accuracies=rules.measure_accuracies.output.out,
        output:
            out=PATHS / "evaluation/probe_baselines.csv",
        log:
            PATHS.log("measure_baselines"),
        resources:
            mem_mb=16000,
            runtime=120,
        params:
            **call("wsl.evaluation.probe_baselines.measure_baselines"),

    use rule job as encoder_tables with:
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
        params:
            **call(
                "wsl.evaluation.encoder_tables.encoder_tables",
                encoders=[
                    {
                        "encoder": name,
                        "kind": weights.encoder.name,
                        "gate": "uniform" if weights.budget is None else weights.gate,
                        "share": share_of(weights),
                        "regime": RUN.config.zoo.regime,
                        "unit": RUN.unit,
                    }
                    for name, weights in ON_BENCH.items()
                ],
            ),

    if RUN.config.evaluation.bench.by:

        use rule job as encoder_groups with:
            input:
                measured=expand(rules.measure_encoder.output.out, encoder=ON_BENCH),
                held_out=BENCH_PARTS,
            output:
                out=table_file("encoder_groups"),
            log:
                PATHS.log("encoder_groups"),
            localrule: True
            params:
                **call(
                    "wsl.evaluation.encoder_groups.encoder_groups",
                    encoders=list(ON_BENCH),
                    by=RUN.config.evaluation.bench.by,
                    unit=RUN.unit,
                ),
