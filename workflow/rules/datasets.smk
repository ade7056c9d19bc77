DATASETS = RUN.config.datasets
CLIP = RUN.pretrained.clip

EMBEDDING = {**CLIP, "batch_size": DATASETS.batch_size}
EMBED = "wsl.datasets.class_means.embed_classes"

if IMAGES.classes_per_job == 1:

    rule clip_features:
        input:
            RUN.pretrained.clip_files,
            packed=packed(["{name}"]),
        output:
            out=features(["{name}"]),
        log:
            f"{LOGS}/clip_features/{{name}}.log",
        conda:
            ENVIRONMENT
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=60,
        params:
            call=EMBED,
            code=call_digest(EMBED),
            settings=lambda wildcards: embedding_of([wildcards.name]),
        script:
            CALL

else:

    for number, names in enumerate(RUN.class_groups):

        rule:
            name:
                f"clip_features_{number}"
            input:
                RUN.pretrained.clip_files,
                packed=packed(names),
            output:
                out=features(names),
            log:
                f"{LOGS}/clip_features_{number}.log",
            conda:
                ENVIRONMENT
            resources:
                gpu=1,
                mem_mb=8000,
                runtime=60,
            params:
                call=EMBED,
                code=call_digest(EMBED),
                settings=lambda wildcards, names=names: embedding_of(names),
            script:
                CALL


if DATASETS.encoder == "distilled":

    rule class_mean:
        input:
            RUN.pretrained.clip_files,
            packed=f"{OUT}/images/{{name}}.h5",
            clip=f"{FEATURES}/{{name}}.h5",
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
            call="wsl.datasets.distilled.embed_distilled",
            code=call_digest("wsl.datasets.distilled.embed_distilled"),
            settings=settings(
                seed=RUN.seed("clip"),
                **dict(DATASETS.distilled),
                **CLIP,
            ),
        script:
            CALL


if DATASETS.encoder == "set":
    LEARNT_FROM = {name for row in RUN.plan if row["part"] == "train" for name in row["classes"]}
    LEARNT_FROM = [name for name in RUN.classes if name in LEARNT_FROM.union(RUN.groups["backbone"])]

    rule fit_set_encoder:
        input:
            RUN.pretrained.clip_files,
            packed=packed(LEARNT_FROM),
            clip=features(LEARNT_FROM),
        output:
            out=f"{OUT}/datasets/set_encoder.safetensors",
            history=f"{OUT}/datasets/set_encoder.csv",
        log:
            f"{LOGS}/fit_set_encoder.log",
        benchmark:
            f"{OUT}/benchmarks/fit_set_encoder.tsv"
        conda:
            ENVIRONMENT
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=240,
        params:
            call="wsl.datasets.set_encoder.fit_set_encoder",
            code=call_digest("wsl.datasets.set_encoder.fit_set_encoder"),
            settings=settings(
                recipe=recipe_of(DATASETS.set),
                seed=RUN.seed("clip"),
                **{key: getattr(DATASETS.set, key) for key in ("hidden", "dropout", "temperature", "images")},
                **EMBEDDING,
            ),
        script:
            CALL

    rule class_mean:
        input:
            clip=f"{FEATURES}/{{name}}.h5",
            encoder=rules.fit_set_encoder.output.out,
        output:
            out=f"{OUT}/datasets/class_means/{{name}}.h5",
        log:
            f"{LOGS}/class_mean/{{name}}.log",
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            call="wsl.datasets.set_encoder.embed_set",
            code=call_digest("wsl.datasets.set_encoder.embed_set"),
            settings={},
        script:
            CALL


use rule list_packed as list_class_means with:
    input:
        files=expand(f"{OUT}/datasets/class_means/{{name}}.h5", name=RUN.classes),
    output:
        out=CLASS_MEANS,
    log:
        f"{LOGS}/list_class_means.log",
    localrule: True
