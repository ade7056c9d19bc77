SAMPLING = RUN.config.sampling
REGRESSION, FLOW = SAMPLING.regression, SAMPLING.flow
FLOW_KEYS = ("hidden", "dropout", "space", "image_counts", "frequencies", "condition_dropout")
# The settings with which each sampler is loaded, beside its files.
SAMPLER_SETTINGS = {
    "projection": settings(norm=SAMPLING.norm),
    "regression": {},
    "memory-bank": plain(SAMPLING.memory_bank),
    "retrieval": plain(SAMPLING.retrieval),
    "generator": settings(temperature=SAMPLING.generator.temperature),
    "flow": settings(**{key: getattr(FLOW, key) for key in ("steps", "method", "guidance")}),
}


def codes_of(part, space):
    return f"{OUT}/weights/{'latents' if space == 'latent' else 'coefficients'}/{part}.h5"


def bank_file(space):
    return {"train_latents" if space == "latent" else "train_coefficients": codes_of("train", space)}


def SAMPLER_FILES(draw, samplers=tuple(SAMPLING.samplers)):
    """The inputs, by the names that wsl.sampling.registry.load_sampler gives them, of one draw of some samplers."""
    shared = f"{OUT}/shared/encoder-{draw}.safetensors" if draw else rules.train_shared.output.out
    own = {
        "projection": {"shared": shared},
        "regression": {"regression": f"{OUT}/sampling/regression-{draw}.safetensors"},
        "memory-bank": bank_file(SAMPLING.memory_bank.space),
        "retrieval": bank_file(SAMPLING.retrieval.space),
        "flow": {"flow": f"{OUT}/sampling/flow-{draw}.safetensors"},
    }
    files = {"class_means": CLASS_MEANS, "bins": rules.outcome_bins.output.out}
    for sampler in samplers:
        files |= own.get(sampler, {})  # a sampler of whole weights has files of its own
    return files


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
        call="wsl.shared.training.train_shared",
        code=call_digest("wsl.shared.training.train_shared"),
        settings=lambda wildcards: settings(
            recipe=RUN.recipe(REGRESSION),
            seed=RUN.seed("regression", int(wildcards.draw)),
            **{key: getattr(REGRESSION, key) for key in (*SHARED_KEYS, "space", "image_counts")},
        ),
    script:
        CALL


rule fit_flow:
    input:
        train=codes_of("train", FLOW.space),
        validation=codes_of("validation", FLOW.space),
        class_means=CLASS_MEANS,
        bins=rules.outcome_bins.output.out,
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
            recipe=RUN.recipe(FLOW),
            seed=RUN.seed("flow", int(wildcards.draw)),
            **{key: getattr(FLOW, key) for key in FLOW_KEYS},
        ),
    script:
        CALL
