SHARED = RUN.config.shared
TRAIN_SHARED = "wsl.shared.training.train_shared"
SHARED_ENTRIES = [loss for loss, _ in SHARED.losses.used()]


wildcard_constraints:
    draw=r"\d+",


rule train_shared:
    input:
        train=f"{OUT}/weights/latents/train.h5",
        validation=f"{OUT}/weights/latents/validation.h5",
        class_means=CLASS_MEANS,
        bins=rules.outcome_bins.output.out,
    output:
        out=f"{OUT}/shared/encoder.safetensors",
        history=f"{OUT}/shared/history.csv",
    log:
        f"{LOGS}/train_shared.log",
    benchmark:
        f"{OUT}/benchmarks/train_shared.tsv"
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
    params:
        **call(TRAIN_SHARED, SHARED_ENTRIES, settings=SHARED, seed=RUN.seed("shared")),
    script:
        CALL


# Further draws of the same encoder, from seeds of their own; figures and tables show the first.
use rule train_shared as train_shared_draw with:
    output:
        out=f"{OUT}/shared/encoder-{{draw}}.safetensors",
        history=f"{OUT}/shared/history-{{draw}}.csv",
    log:
        f"{LOGS}/train_shared_draw/{{draw}}.log",
    benchmark:
        f"{OUT}/benchmarks/train_shared_draw/{{draw}}.tsv"
    params:
        **call(
            TRAIN_SHARED,
            SHARED_ENTRIES,
            settings=SHARED,
            seed=lambda wildcards: RUN.seed("shared", int(wildcards.draw)),
        ),


rule similarities:
    input:
        latents=[f"{OUT}/weights/latents/train.h5", f"{OUT}/weights/latents/test.h5"],
        class_means=CLASS_MEANS,
        bins=rules.outcome_bins.output.out,
        shared=rules.train_shared.output.out,
    output:
        out=f"{OUT}/shared/similarities.csv",
    log:
        f"{LOGS}/similarities.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        **call("wsl.shared.similarities.write_similarities", members=RUN.config.evaluation.heatmap_members),
    script:
        CALL
