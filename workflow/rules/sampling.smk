REGRESSION, FLOW = SAMPLING.regression, SAMPLING.flow
FLOW_KEYS = ("hidden", "dropout", "directions", "frequencies")
# The settings with which each sampler is loaded, beside its files.
SAMPLER_SETTINGS = {
    "projection": settings(norm=SAMPLING.norm),
    "regression": {},
    "memory-bank": plain(SAMPLING.memory_bank),
    "retrieval": plain(SAMPLING.retrieval),
    "generator": settings(temperature=SAMPLING.generator.temperature),
    "flow": settings(**{key: getattr(FLOW, key) for key in ("steps", "method", "temperature")}),
}


rule fit_regression:
    input:
        train=codes_of("train", REGRESSION.space),
        validation=codes_of("validation", REGRESSION.space),
        class_means=CLASS_MEANS,
        bins=rules.outcome_bins.output.out,
    output:
        out=f"{OUT}/sampling/regression-{{draw}}.safetensors",
        history=f"{OUT}/sampling/regression-{{draw}}.csv",
    log:
        f"{LOGS}/fit_regression/{{draw}}.log",
    benchmark:
        f"{OUT}/benchmarks/fit_regression/{{draw}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
    params:
        **call(
            "wsl.sampling.regression.fit_regression",
            [loss for loss, _ in REGRESSION.losses.used()],
            settings=REGRESSION,
            seed=lambda wildcards: RUN.seed("regression", int(wildcards.draw)),
        ),
    script:
        CALL


rule fit_flow:
    input:
        train=codes_of("train", REGRESSION.space),
        validation=codes_of("validation", REGRESSION.space),
        class_means=CLASS_MEANS,
        bins=rules.outcome_bins.output.out,
        regression=rules.fit_regression.output.out,
    output:
        out=f"{OUT}/sampling/flow-{{draw}}.safetensors",
        history=f"{OUT}/sampling/flow-{{draw}}.csv",
    log:
        f"{LOGS}/fit_flow/{{draw}}.log",
    benchmark:
        f"{OUT}/benchmarks/fit_flow/{{draw}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
    params:
        call="wsl.sampling.flow_training.fit_flow",
        code=call_digest("wsl.sampling.flow_training.fit_flow"),
        settings=lambda wildcards: settings(
            recipe=recipe_of(FLOW),
            seed=RUN.seed("flow", int(wildcards.draw)),
            normalise=REGRESSION.normalise,
            image_counts=REGRESSION.image_counts,
            **{key: getattr(FLOW, key) for key in FLOW_KEYS},
        ),
    script:
        CALL
