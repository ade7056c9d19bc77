# Weight encoders beside the run's own, over one PCA with as many components as any of them wants.

WIDE = f"{OUT}/weights/bench"
WIDE_FILES = [f"{WIDE}/pca/{entry.name}.h5" for entry in RUN.layout.entries]
MOST_COMPONENTS = max((one.components for one in ON_BENCH.values()), default=0)
BUDGETED = any(one.budget is not None and one.gate == "function" for one in ON_BENCH.values())


if ON_BENCH:

    ruleorder: fit_wide_small_pca > fit_wide_pca

    use rule fit_pca as fit_wide_pca with:
        output:
            out=[f"{WIDE}/pca/{{name}}.h5"],
        log:
            f"{LOGS}/fit_wide_pca/{{name}}.log",
        params:
            call="wsl.weights.pca.fit_parameters",
            code=call_digest("wsl.weights.pca.fit_parameters"),
            settings=lambda wildcards: pca_settings([wildcards.name], components=MOST_COMPONENTS),

    use rule fit_small_pca as fit_wide_small_pca with:
        output:
            out=[f"{WIDE}/pca/{name}.h5" for name in SMALL_NAMES],
        log:
            f"{LOGS}/fit_wide_small_pca.log",
        params:
            call="wsl.weights.pca.fit_parameters",
            code=call_digest("wsl.weights.pca.fit_parameters"),
            settings=pca_settings(SMALL_NAMES, components=MOST_COMPONENTS),

    use rule coefficients as wide_coefficients with:
        input:
            index=lambda wildcards: index_of(wildcards.part),
            fitted=WIDE_FILES,
        output:
            out=f"{WIDE}/coefficients/{{part}}.h5",
        log:
            f"{LOGS}/wide_coefficients/{{part}}.log",

    use rule measure_sensitivity as measure_wide_sensitivity with:
        input:
            index=index_of("train"),
            fitted=WIDE_FILES,
            packed=PACKED,
        output:
            out=f"{WIDE}/sensitivity.csv",
        log:
            f"{LOGS}/measure_wide_sensitivity.log",

    rule measure_accuracies:
        input:
            indices=[index_of("train"), *HELD_OUT_INDICES],
            packed=PACKED,
        output:
            out=f"{OUT}/evaluation/test_accuracies.csv",
        log:
            f"{LOGS}/measure_accuracies.log",
        conda:
            ENVIRONMENT
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=120,
        params:
            call="wsl.evaluation.probes.measure_accuracies",
            code=call_digest("wsl.evaluation.probes.measure_accuracies"),
            settings={},
        script:
            CALL

    rule measure_encoder:
        input:
            **INDICES,
            **({"sensitivity": rules.measure_wide_sensitivity.output.out} if BUDGETED else {}),
            held_out=HELD_OUT_INDICES,
            fitted=WIDE_FILES,
            train=f"{WIDE}/coefficients/train.h5",
            validation=f"{WIDE}/coefficients/validation.h5",
            packed=PACKED,
            accuracies=rules.measure_accuracies.output.out,
            class_means=CLASS_MEANS,
            bins=rules.outcome_bins.output.out,
            also=lambda wildcards: zoos_beside(ON_BENCH[wildcards.encoder]),
        output:
            out=f"{OUT}/evaluation/encoders/{{encoder}}.csv",
            probes=f"{OUT}/evaluation/encoders/{{encoder}}_probes.csv",
            history=f"{OUT}/evaluation/encoders/{{encoder}}_history.csv",
        log:
            f"{LOGS}/measure_encoder/{{encoder}}.log",
        benchmark:
            f"{OUT}/benchmarks/measure_encoder/{{encoder}}.tsv"
        conda:
            ENVIRONMENT
        resources:
            gpu=1,
            mem_mb=24000,
            runtime=720,
        params:
            call="wsl.evaluation.encoders.measure_encoder",
            code=call_digest("wsl.evaluation.encoders.measure_encoder"),
            settings=lambda wildcards: bench_settings(wildcards.encoder),
        script:
            CALL

    rule measure_baselines:
        input:
            train_index=index_of("train"),
            held_out=HELD_OUT_INDICES,
            fitted=PCA_FILES,
            accuracies=rules.measure_accuracies.output.out,
        output:
            out=f"{OUT}/evaluation/probe_baselines.csv",
        log:
            f"{LOGS}/measure_baselines.log",
        conda:
            ENVIRONMENT
        resources:
            mem_mb=16000,
            runtime=120,
        params:
            call="wsl.evaluation.probes.measure_baselines",
            code=call_digest("wsl.evaluation.probes.measure_baselines"),
            settings={},
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
            losses=f"{OUT}/evaluation/encoder_histories.csv",
        log:
            f"{LOGS}/encoder_tables.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            call="wsl.evaluation.encoder_tables.encoder_tables",
            code=call_digest("wsl.evaluation.encoder_tables.encoder_tables"),
            settings=settings(
                names=list(ON_BENCH),
                kinds=[one.encoder for one in ON_BENCH.values()],
                gates=["uniform" if one.budget is None else one.gate for one in ON_BENCH.values()],
                shares=[share_of(one) for one in ON_BENCH.values()],
                regime=RUN.config.zoo.init,
            ),
        script:
            CALL
