# Embeddings of classes, and outcome bins.

DATASETS = RUN.config.datasets
ENCODER = DATASETS.encoder
EMBEDDING = RUN.pretrained.clip


for rule_name, log_name, names, classes_of in class_jobs("clip_features", "clip_features"):

    rule:
        name:
            rule_name
        input:
            RUN.pretrained.clip_files,
            packed=packed(names),
        output:
            out=features(names),
        log:
            PATHS.log(log_name),
        conda:
            ENVIRONMENT
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=60,
        params:
            **call(
                ENCODER.features,
                ENCODER.entries(),
                prompts=lambda wildcards, of=classes_of: list(map(RUN.prompts, of(wildcards))),
                model=EMBEDDING,
                seed=RUN.seed("clip"),
            ),
        script:
            CALL


if ENCODER.fit:
    # Unseen classes must not influence the encoder.
    TRAINED_ON = {name for row in RUN.plan if row["part"] == "train" for name in row["classes"]}
    TRAINED_ON = [name for name in RUN.classes if name in TRAINED_ON.union(RUN.groups["backbone"])]

    use rule job as fit_dataset_encoder with:
        input:
            RUN.pretrained.clip_files,
            packed=packed(TRAINED_ON),
            clip=features(TRAINED_ON),
        output:
            out=PATHS / "datasets/encoder.safetensors",
            history=PATHS / "datasets/encoder.csv",
        log:
            PATHS.log("fit_dataset_encoder"),
        benchmark:
            PATHS.benchmark("fit_dataset_encoder")
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=240,
        params:
            **call(ENCODER.fit, model=EMBEDDING, seed=RUN.seed("clip")),


if ENCODER.embed:

    use rule job as class_mean with:
        input:
            RUN.pretrained.clip_files,
            **({"encoder": rules.fit_dataset_encoder.output.out} if ENCODER.fit else {}),
            packed=PATHS.packed("{name}"),
            clip=features(["{name}"])[0],
        output:
            out=PATHS.class_mean("{name}"),
        log:
            PATHS.log("class_mean/{name}"),
        resources:
            gpu=int(ENCODER.uses_gpu),
            mem_mb=8000,
            runtime=60,
        params:
            **call(ENCODER.embed, model=EMBEDDING, seed=RUN.seed("clip")),


use rule list_packed as list_class_means with:
    input:
        files=[PATHS.class_mean(name) for name in RUN.classes],
    output:
        out=PATHS.class_means,
    log:
        PATHS.log("list_class_means"),
    localrule: True


use rule job as outcome_bins with:
    input:
        index=PATHS.index("train"),
    output:
        out=PATHS.bins,
    log:
        PATHS.log("outcome_bins"),
    localrule: True
    params:
        **call("wsl.outcomes.bins.write_bins", settings=RUN.config.outcomes),
