# Shared encoder, samplers, and the models and description that a run leaves behind.

from wsl.sampling.inputs import common_files, described_files
from wsl.sampling.merging.base import MERGES
from wsl.sampling.methods.constant import start_file

SHARED = RUN.config.shared
SHARED_ENTRIES = [loss for loss, _ in SHARED.losses.used()]
TRAIN_SHARED = "wsl.shared.training.train_shared"
METHOD_FILES = common_files(RUN)
CHOSEN = METHODS[SAMPLING.sampler]
ABOUT_MODELS = {
    "run": RUN.config.run,
    "architecture": plain(RUN.config.zoo.architecture),
    "size": RUN.config.images.size,
    "encoder": RUN.config.datasets,
}


wildcard_constraints:
    draw=r"\d+",
    method=r"[^/]+",


use rule job as train_shared with:
    input:
        train=PATHS.latents("train"),
        validation=PATHS.latents("validation"),
        class_means=PATHS.class_means,
        bins=PATHS.bins,
    output:
        out=PATHS.shared(),
        history=PATHS / "shared/history.csv",
    log:
        PATHS.log("train_shared"),
    benchmark:
        PATHS.benchmark("train_shared")
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
    params:
        **call(TRAIN_SHARED, SHARED_ENTRIES, settings=SHARED, seed=RUN.seed("shared")),


# Further draws of the same encoder, from other seeds; figures and tables show the first.
use rule train_shared as train_shared_draw with:
    output:
        out=PATHS.shared("{draw}"),
        history=PATHS / "shared/history-{draw}.csv",
    log:
        PATHS.log("train_shared_draw/{draw}"),
    benchmark:
        PATHS.benchmark("train_shared_draw/{draw}")
    params:
        **call(
            TRAIN_SHARED,
            SHARED_ENTRIES,
            settings=SHARED,
            seed=lambda wildcards: RUN.seed("shared", int(wildcards.draw)),
        ),


use rule job as similarities with:
    input:
        latents=[PATHS.latents("train"), PATHS.latents("test")],
        class_means=PATHS.class_means,
        bins=PATHS.bins,
        shared=PATHS.shared(),
    output:
        out=PATHS / "shared/similarities.csv",
    log:
        PATHS.log("similarities"),
    localrule: True
    params:
        **call("wsl.shared.similarities.write_similarities", members=RUN.config.evaluation.heatmap_members),


# The body that generated models share; its heads are fitted in each draw.
use rule job as fit_body with:
    input:
        **({"taught": [*map(PATHS.class_mean, RUN.known_classes)]} if SAMPLING.generator.body.teacher else {}),
        index=METHOD_FILES["index"],
        packed=[*map(PATHS.packed, RUN.known_classes)],
    output:
        out=PATHS.body,
    log:
        PATHS.log("fit_body"),
    benchmark:
        PATHS.benchmark("fit_body")
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=480,
    params:
        **call("wsl.sampling.body.fit_body", settings=SAMPLING.generator.body, seed=RUN.seed("body")),


# Bodies merged from the members. Validation tasks choose the scale of a body, or the number of members.
for merge in SAMPLING.merging.methods:

    rule:
        name:
            f"merge_{merge}"
        input:
            **METHOD_FILES,
            **start_file(RUN),
            held_out=[index_of("validation")],
        output:
            out=PATHS.merged(merge),
        log:
            PATHS.log(f"merge_{merge}"),
        benchmark:
            PATHS.benchmark(f"merge_{merge}")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=1,
            mem_mb=16000,
            runtime=240,
        params:
            **call(
                "wsl.sampling.merged_body.fit_merged",
                [MERGES[merge]],
                name=merge,
                settings=SAMPLING.merging.of(merge),
                known=RUN.known_classes,
                recalibrate=SAMPLING.recalibration.enabled,
                seed=RUN.seed("merge"),
            ),
        script:
            CALL


# One rule for each sampler or baseline that learns something of its own.
for entry in METHODS.values():
    if entry.fit and entry.applies(RUN):

        rule:
            name:
                f"fit_{entry.name}"
            input:
                **entry.fit_files(RUN, "{draw}"),
            output:
                **({"history": PATHS / f"sampling/{entry.name}-{{draw}}.csv"} if entry.history else {}),
                out=PATHS.fitted(entry.name, "{draw}"),
            log:
                PATHS.log(f"fit_{entry.name}/{{draw}}"),
            benchmark:
                PATHS.benchmark(f"fit_{entry.name}/{{draw}}")
            conda:
                ENVIRONMENT
            threads: 1
            resources:
                gpu=1,
                mem_mb=8000,
                runtime=240,
            params:
                **call(
                    entry.fit_function(),
                    entry.fit_entries(RUN),
                    **entry.fit_values(RUN),
                    seed=lambda wildcards, name=entry.name: RUN.seed(name, int(wildcards.draw)),
                ),
            script:
                CALL


use rule job as sample with:
    input:
        **METHOD_FILES,
        **CHOSEN.files(RUN, 0),
    output:
        models=[PATHS / f"sampling/models/{member}.safetensors" for member in RUN.members("test")],
    log:
        PATHS.log("sample"),
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=60,
    params:
        **call(
            "wsl.sampling.models.sample_models",
            entries_of(CHOSEN.name),
            choice=choice_of(RUN, CHOSEN.name),
            outcome=SAMPLING.outcome,
            requests=RUN.held_out(),
            about=ABOUT_MODELS,
            seed=RUN.seed("sample"),
        ),


# What `wsl sample` reads.
use rule job as describe_sampler with:
    input:
        **described_files(RUN),
    output:
        out=PATHS.sampler,
    log:
        PATHS.log("describe_sampler"),
    localrule: True
    params:
        **call(
            "wsl.sampling.description.describe_sampler",
            choice=choice_of(RUN, CHOSEN.name),
            outcome=SAMPLING.outcome,
            embedding={
                "clip": {**RUN.pretrained.clip, "seed": RUN.seed("clip")},
                "prompts": RUN.config.datasets.prompts,
            },
            about=ABOUT_MODELS,
            finetuning=RUN.config.evaluation.finetuning.model_dump(exclude={"epochs"}),
            seed=RUN.seed("sample"),
        ),
