SHARED = RUN.config.shared
SHARED_KEYS = ("hidden", "dropout", "outcome_embedding", "temperature", "symmetric", "standardise", "losses")


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
        call="wsl.shared.training.train_shared",
        code=call_digest("wsl.shared.training.train_shared"),
        settings=shared_settings(),
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
        call="wsl.shared.training.train_shared",
        code=call_digest("wsl.shared.training.train_shared"),
        settings=lambda wildcards: shared_settings(int(wildcards.draw)),


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
        call="wsl.shared.training.write_similarities",
        code=call_digest("wsl.shared.training.write_similarities"),
        settings=settings(members=RUN.config.evaluation.heatmap_members),
    script:
        CALL
