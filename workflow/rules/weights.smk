# Coefficients of weights: alignment, PCA of every named parameter, a budget of components.

# A copy of the zoo, as large as the zoo: only where it is asked for.
if WEIGHTS.align:

    rule align_part:
        input:
            index=f"{OUT}/zoo/{{part}}.h5",
            train_index=f"{OUT}/zoo/train.h5",
        output:
            out=f"{OUT}/weights/aligned/{{part}}.h5",
        log:
            f"{LOGS}/align_part/{{part}}.log",
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
            runtime=240,
        params:
            call="wsl.weights.alignment.align_part",
            code=call_digest("wsl.weights.alignment.align_part"),
            settings=settings(seed=RUN.seed("alignment")),
        script:
            CALL


ruleorder: fit_small_pca > fit_pca


rule fit_pca:
    input:
        index=index_of("train"),
    output:
        out=[f"{OUT}/weights/pca/{{name}}.h5"],
    log:
        f"{LOGS}/fit_pca/{{name}}.log",
    benchmark:
        f"{OUT}/benchmarks/fit_pca/{{name}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        gpu=lambda wildcards: int(RUN.layout[wildcards.name].size >= LARGE),
        mem_mb=4000,
        runtime=60,
    params:
        call="wsl.weights.pca.fit_parameters",
        code=call_digest("wsl.weights.pca.fit_parameters"),
        settings=lambda wildcards: pca_settings([wildcards.name]),
    script:
        CALL


use rule fit_pca as fit_small_pca with:
    output:
        out=[f"{OUT}/weights/pca/{name}.h5" for name in SMALL_NAMES],
    log:
        f"{LOGS}/fit_small_pca.log",
    benchmark:
        f"{OUT}/benchmarks/fit_small_pca.tsv"
    resources:
        gpu=0,
        mem_mb=4000,
        runtime=60,
    params:
        call="wsl.weights.pca.fit_parameters",
        code=call_digest("wsl.weights.pca.fit_parameters"),
        settings=pca_settings(SMALL_NAMES),


if WEIGHTS.budget is not None or ON_BENCH:

    rule measure_sensitivity:
        input:
            index=index_of("train"),
            fitted=FITTED_FILES,
            packed=PACKED,
        output:
            out=f"{OUT}/weights/sensitivity.csv",
        log:
            f"{LOGS}/measure_sensitivity.log",
        conda:
            ENVIRONMENT
        resources:
            gpu=1,
            mem_mb=16000,
            runtime=60,
        params:
            call="wsl.weights.sensitivity.measure_sensitivity",
            code=call_digest("wsl.weights.sensitivity.measure_sensitivity"),
            settings=settings(
                seed=RUN.seed("sensitivity"),
                recalibrated=RUN.config.sampling.recalibration.enabled,
                **WEIGHTS.sensitivity.model_dump(),
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
            f"{LOGS}/gate_components.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            call="wsl.weights.gate.gate_components",
            code=call_digest("wsl.weights.gate.gate_components"),
            settings=settings(budget=WEIGHTS.budget),
        script:
            CALL


rule pca_table:
    input:
        fitted=PCA_FILES,
    output:
        out=table_file("pca"),
    log:
        f"{LOGS}/pca_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.weights.coefficients.pca_table",
        code=call_digest("wsl.weights.coefficients.pca_table"),
        settings={},
    script:
        CALL


rule coefficients:
    input:
        index=lambda wildcards: index_of(wildcards.part),
        fitted=PCA_FILES,
    output:
        out=f"{OUT}/weights/coefficients/{{part}}.h5",
    log:
        f"{LOGS}/coefficients/{{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/coefficients/{{part}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        call="wsl.weights.coefficients.encode_part",
        code=call_digest("wsl.weights.coefficients.encode_part"),
        settings=lambda wildcards: orders_of(wildcards.part),
    script:
        CALL
