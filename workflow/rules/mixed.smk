# A mixed zoo: its networks share no named parameters, so there is no PCA, and samplers have no architecture to sample.
# Each encoder is fitted to the members of all architectures, and measured on each.

import re

LABELS = list(RUN.networks)
ENCODERS = RUN.config.encoders()
TRAIN_OF_ALL, VALIDATION_OF_ALL = (
    [PATHS.index(f"{label}/{part}") for label in LABELS] for part in ("train", "validation")
)
HELD_OUT_PARTS = [part for part in ("test", "unseen") if part in RUN.parts]
HELD_OUT_OF_ALL = [PATHS.index(f"{label}/{part}") for part in HELD_OUT_PARTS for label in LABELS]


def encoder_of(wildcards):
    return ENCODERS[wildcards.encoder]


def encoder_entries(wildcards):
    return [type(encoder_of(wildcards).encoder)]


def more_inputs(wildcards):
    """What some encoders are fitted on besides the run's members."""
    encoder = encoder_of(wildcards).encoder
    return {**({"packed": PATHS.all_packed} if encoder.reads_images else {}), **other_zoos(encoder)}


wildcard_constraints:
    label=r"[^/]+",
    encoder="|".join(map(re.escape, ENCODERS)),


use rule job as train_encoder with:
    input:
        unpack(more_inputs),
        train_index=TRAIN_OF_ALL[0],
        further_train=TRAIN_OF_ALL[1:],
        validation_index=VALIDATION_OF_ALL[0],
        further_validation=VALIDATION_OF_ALL[1:],
    output:
        out=PATHS / "weights/encoders/{encoder}.safetensors",
        history=PATHS / "weights/encoders/{encoder}_history.csv",
        checkpoints=PATHS / "weights/encoders/{encoder}_checkpoints.safetensors",
    log:
        PATHS.log("train_encoder/{encoder}"),
    benchmark:
        PATHS.benchmark("train_encoder/{encoder}")
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=480,
    params:
        **call(
            "wsl.weights.training.train_weight_encoder",
            encoder_entries,
            settings=lambda wildcards: encoder_of(wildcards).encoder_fit(),
            orders_seed=RUN.seed("pca"),
            seed=RUN.seed("autoencoder"),
        ),


use rule job as embed_mixed with:
    input:
        index=PATHS.index("{label}/{part}"),
        encoder=PATHS / f"weights/encoders/{WEIGHTS.encoder.name}.safetensors",
    output:
        out=PATHS.latents("{label}/{part}"),
    log:
        PATHS.log("embed_mixed/{label}/{part}"),
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        **call("wsl.weights.codec.embed_mixed", ENCODER_ENTRIES),


use rule job as test_accuracies with:
    input:
        indices=[*TRAIN_OF_ALL, *HELD_OUT_OF_ALL],
        packed=PATHS.all_packed,
    output:
        out=PATHS / "evaluation/test_accuracies.csv",
    log:
        PATHS.log("test_accuracies"),
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=120,
    params:
        **call("wsl.evaluation.accuracies.measure_accuracies"),


use rule job as measure_mixed with:
    input:
        train=TRAIN_OF_ALL,
        held_out=HELD_OUT_OF_ALL,
        packed=PATHS.all_packed,
        encoder=rules.train_encoder.output.out,
    output:
        out=PATHS / "evaluation/encoders/{encoder}.csv",
    log:
        PATHS.log("measure_mixed/{encoder}"),
    benchmark:
        PATHS.benchmark("measure_mixed/{encoder}")
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=240,
    params:
        **call(
            "wsl.evaluation.mixed.measure_mixed",
            encoder_entries,
            name=lambda wildcards: wildcards.encoder,
            labels=LABELS,
            search=lambda wildcards: RUN.config.search_with(wildcards.encoder),
            seed=RUN.seed("search"),
        ),


use rule job as measure_mean with:
    input:
        train=TRAIN_OF_ALL,
        held_out=HELD_OUT_OF_ALL,
        packed=PATHS.all_packed,
    output:
        out=PATHS / "evaluation/mean_of_members.csv",
    log:
        PATHS.log("measure_mean"),
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=120,
    params:
        **call(
            "wsl.evaluation.mixed.measure_mixed",
            name="mean of members",
            labels=LABELS,
        ),


use rule job as probe_mixed with:
    input:
        train=TRAIN_OF_ALL,
        held_out=HELD_OUT_OF_ALL,
        accuracies=rules.test_accuracies.output.out,
        encoder=rules.train_encoder.output.out,
    output:
        out=PATHS / "evaluation/encoders/{encoder}_probes.csv",
    log:
        PATHS.log("probe_mixed/{encoder}"),
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        **call(
            "wsl.evaluation.mixed_probes.probe_mixed",
            encoder_entries,
            name=lambda wildcards: wildcards.encoder,
            labels=LABELS,
        ),


use rule job as probe_baselines with:
    input:
        train=TRAIN_OF_ALL,
        held_out=HELD_OUT_OF_ALL,
        accuracies=rules.test_accuracies.output.out,
    output:
        out=PATHS / "evaluation/probe_baselines.csv",
    log:
        PATHS.log("probe_baselines"),
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        **call("wsl.evaluation.mixed_probes.probe_baselines", labels=LABELS),


use rule job as mixed_tables with:
    input:
        measured=[*expand(rules.measure_mixed.output.out, encoder=ENCODERS), rules.measure_mean.output.out],
        probes=[*expand(rules.probe_mixed.output.out, encoder=ENCODERS), rules.probe_baselines.output.out],
    output:
        out=table_file("weight_encoders"),
        probed=table_file("probes"),
    log:
        PATHS.log("mixed_tables"),
    localrule: True
    params:
        **call("wsl.evaluation.encoder_tables.mixed_tables", unit=RUN.unit),


use rule job as mixed_summary with:
    input:
        indices=expand(rules.index_part.output.out, part=RUN.parts, label=LABELS),
        encoders=rules.mixed_tables.output.out,
        probes=rules.mixed_tables.output.probed,
    output:
        out=PATHS.summary,
    log:
        PATHS.log("mixed_summary"),
    localrule: True
    params:
        **call("wsl.evaluation.mixed.write_mixed_summary", labels=LABELS),


RESULTS_OF_RUN = [
    PATHS.table("classes"),
    *rules.zoo_table.output,
    *rules.mixed_tables.output,
    *rules.mixed_summary.output,
    *expand(rules.embed_mixed.output.out, part=RUN.parts, label=LABELS),
]
