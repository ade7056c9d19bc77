rule sample:
    input:
        index=f"{OUT}/zoo/train.h5",
        fitted=PCA_FILES,
        autoencoder=rules.train_autoencoder.output.out,
        shared=rules.train_shared.output.out,
        class_means=CLASS_MEANS,
        bins=rules.outcome_bins.output.out,
    output:
        models=expand(f"{OUT}/sampling/models/{{member}}.safetensors", member=RUN.members("test")),
    log:
        f"{LOGS}/sample.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        call="wsl.sampling.projection.sample_models",
        code=call_digest("wsl.sampling.projection.sample_models"),
        settings=settings(
            **RUN.held_out(),
            **dict(RUN.config.sampling),
            about={
                "run": RUN.config.run,
                "architecture": "resnet18",
                "width": RUN.config.zoo.width,
                "size": RUN.config.images.size,
                "encoder": dict(RUN.config.datasets),
            },
        ),
    script:
        CALL
