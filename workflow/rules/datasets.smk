rule class_mean:
    input:
        RUN.clip_files(),
        packed=f"{OUT}/images/{{name}}.h5",
    output:
        out=f"{OUT}/datasets/class_means/{{name}}.h5",
    log:
        f"{LOGS}/class_mean/{{name}}.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=60,
    params:
        call="wsl.datasets.class_means.embed_class",
        code=call_digest("wsl.datasets.class_means.embed_class"),
        settings=lambda wildcards: settings(
            seed=RUN.seed("clip"),
            prompts=RUN.prompts(wildcards.name),
            **{key: getattr(RUN.config.datasets, key) for key in ("model", "weights", "batch_size")},
        ),
    script:
        CALL


CLASS_MEANS = expand(rules.class_mean.output.out, name=RUN.classes)
