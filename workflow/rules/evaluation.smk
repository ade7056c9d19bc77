# Evaluation: reconstruction, accuracy of samplers and baselines, and further properties of samplers.

from wsl.sampling.inputs import compared, of_members
from wsl.sampling.methods.base import codec_files

EVALUATION = RUN.config.evaluation
CODEC = codec_files(RUN)
HELD_OUT = [part for part in ("test", "unseen") if part in RUN.parts]
HELD_OUT_INDICES = [index_of(part) for part in HELD_OUT]


use rule job as reconstruction_over_training with:
    input:
        index=index_of("test"),
        fitted=CODEC["pca"],
        checkpoints=rules.train_weight_encoder.output.checkpoints,
    output:
        out=PATHS / "evaluation/reconstruction_over_training.csv",
    log:
        PATHS.log("reconstruction_over_training"),
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=120,
    params:
        **call(
            "wsl.evaluation.reconstruction.over_training",
            ENCODER_ENTRIES,
            images=EVALUATION.synthetic_images,
            size=RUN.config.images.size,
            seed=RUN.seed("synthetic images"),
        ),


use rule job as reconstruction with:
    input:
        index=index_of("test"),
        coefficients=PATHS.coefficients("test"),
        train_index=METHOD_FILES["index"],
        fitted=CODEC["pca"],
        encoder=CODEC["encoder"],
        packed=PATHS.all_packed,
    output:
        out=PATHS / "evaluation/reconstruction.csv",
    log:
        PATHS.log("reconstruction"),
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=120,
    params:
        **call("wsl.evaluation.reconstruction.on_training_data", ENCODER_ENTRIES, most=EVALUATION.training_images),


use rule job as reconstruction_table with:
    input:
        measured=rules.reconstruction.output.out,
    output:
        out=table_file("reconstruction"),
    log:
        PATHS.log("reconstruction_table"),
    localrule: True
    params:
        **call("wsl.evaluation.tables.reconstruction_table", unit=RUN.unit),


# The one rule that reads test images.
use rule job as judge with:
    input:
        unpack(method_files),
        **METHOD_FILES,
        held_out=[index_of(part) for part in RUN.parts if part != "train"],
    output:
        out=PATHS.judged("{method}", "{draw}"),
    log:
        PATHS.log("judge/{method}-{draw}"),
    benchmark:
        PATHS.benchmark("judge/{method}-{draw}")
    threads: 1
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=480,
    params:
        **judging(
            "wsl.evaluation.protocol.judge",
            outcome=SAMPLING.outcome,
            counts=EVALUATION.image_counts,
            finetuning=EVALUATION.finetuning,
            unit=RUN.unit,
        ),


use rule job as accuracy_table with:
    input:
        measured=[PATHS.judged(*method_and_draw) for method_and_draw in draws(RUN, compared(RUN))],
        beside=RUN.beside(),
    output:
        out=table_file("accuracy"),
        recalibration=table_file("recalibration"),
        specialisation=table_file("specialisation"),
    log:
        PATHS.log("accuracy_table"),
    localrule: True
    params:
        **call(
            "wsl.evaluation.tables.accuracy_table",
            about={
                "regime": RUN.config.zoo.regime,
                "run": RUN.config.run,
                "members": len(RUN.members("train")),
                "snapshots": max(len(RUN.snapshots(row)) for row in RUN.plan),
                "zoo_seed": zoo_seed(RUN),
                "unit": RUN.unit,
            },
            kinds={name: METHODS[name].kind for name in compared(RUN)},
            selecting=[name for name in compared(RUN) if METHODS[name].selects],
            one_body=[name for name in compared(RUN) if METHODS[name].one_body],
        ),


# Of this run and of those beside it.
RECONSTRUCTED = {name: Paths.of_run(name).table("reconstruction") for name in RUN.config.beside}
RECONSTRUCTED = {name: path for name, path in RECONSTRUCTED.items() if Path(path).is_file()}


use rule job as growth_table with:
    input:
        accuracy=rules.accuracy_table.output.out,
        reconstructions=[rules.reconstruction_table.output.out, *RECONSTRUCTED.values()],
    output:
        out=PATHS.measured("growth"),
    log:
        PATHS.log("growth_table"),
    localrule: True
    params:
        **call("wsl.evaluation.growth.write_growth", runs=[RUN.config.run, *RECONSTRUCTED]),


if RUN.imported:

    use rule job as check_imported with:
        input:
            index=PATHS.index("test"),
            packed=PATHS.all_packed,
        output:
            out=PATHS / "evaluation/imported.csv",
        log:
            PATHS.log("check_imported"),
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=60,
        params:
            **call("wsl.evaluation.imported.compare_accuracies"),


if RUN.has_images:

    use rule job as summary with:
        input:
            **({"imported": rules.check_imported.output.out} if RUN.imported else {}),
            classes=rules.class_table.output.out,
            members=rules.zoo_table.output.members,
            reconstruction=rules.reconstruction_table.output.out,
            accuracy=rules.accuracy_table.output.out,
            shared_history=rules.train_shared.output.history,
            bins=PATHS.bins,
        output:
            out=PATHS.summary,
        log:
            PATHS.log("summary"),
        localrule: True
        params:
            **call("wsl.evaluation.tables.write_summary", classes_per_task=RUN.config.zoo.classes_per_task),

else:

    use rule job as probe_weights with:
        input:
            train_index=index_of("train"),
            held_out=HELD_OUT_INDICES,
            fitted=CODEC["pca"],
            encoder=CODEC["encoder"],
        output:
            out=table_file("probes"),
        log:
            PATHS.log("probe_weights"),
        resources:
            mem_mb=16000,
            runtime=120,
        params:
            **call("wsl.evaluation.probe_baselines.probe_encoder", ENCODER_ENTRIES, name=WEIGHTS.encoder.name),

    use rule job as summary with:
        input:
            members=rules.zoo_table.output.members,
            probes=rules.probe_weights.output.out,
        output:
            out=PATHS.summary,
        log:
            PATHS.log("summary"),
        localrule: True
        params:
            **call("wsl.evaluation.tables.write_weights_summary", classes_per_task=RUN.config.zoo.classes_per_task),


# Further properties of samplers: control by R, retrieval, novelty and diversity, refinement, the shared space. They
# only use validation images.
use rule job as judge_control with:
    input:
        unpack(method_files),
        **METHOD_FILES,
        held_out=HELD_OUT_INDICES,
    output:
        out=PATHS / "evaluation/control/{method}-{draw}.csv",
    log:
        PATHS.log("judge_control/{method}-{draw}"),
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=240,
    params:
        **judging("wsl.evaluation.control.judge_control", unit=RUN.unit),


use rule job as control_table with:
    input:
        measured=of_samplers(rules.judge_control.output.out),
    output:
        out=table_file("control"),
        points=PATHS / "evaluation/control.csv",
    log:
        PATHS.log("control_table"),
    localrule: True
    params:
        **call("wsl.evaluation.control.control_table", unit=RUN.unit),


use rule job as judge_novelty with:
    input:
        unpack(method_files),
        **METHOD_FILES,
        held_out=HELD_OUT_INDICES,
    output:
        out=PATHS.novelty("{method}", "{draw}"),
        diversity=PATHS / "evaluation/diversity/{method}-{draw}.csv",
    log:
        PATHS.log("judge_novelty/{method}-{draw}"),
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=240,
    params:
        **judging("wsl.evaluation.novelty.judge_novelty", outcome=SAMPLING.outcome, unit=RUN.unit),


use rule job as novelty_table with:
    input:
        measured=of_draws(rules.judge_novelty.output.out, of_members(RUN)),
        diversity=of_draws(rules.judge_novelty.output.diversity, of_members(RUN)),
    output:
        out=table_file("novelty"),
    log:
        PATHS.log("novelty_table"),
    localrule: True
    params:
        **call("wsl.evaluation.novelty.novelty_table", unit=RUN.unit),


# Samplers of whole weights have no code to refine, and leave an empty table.
use rule job as judge_refinement with:
    input:
        unpack(method_files),
        **METHOD_FILES,
        held_out=HELD_OUT_INDICES,
        latents=PATHS.latents("train"),
        coefficients=PATHS.coefficients("train"),
    output:
        out=PATHS / "evaluation/refinement/{method}-{draw}.csv",
    log:
        PATHS.log("judge_refinement/{method}-{draw}"),
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=240,
    params:
        **judging("wsl.evaluation.refined.judge_refinement", outcome=SAMPLING.outcome, unit=RUN.unit),


use rule job as refinement_table with:
    input:
        measured=of_samplers(rules.judge_refinement.output.out),
    output:
        out=table_file("refinement"),
    log:
        PATHS.log("refinement_table"),
    localrule: True
    params:
        **call("wsl.evaluation.refined.refinement_table", unit=RUN.unit),


use rule job as measure_retrieval with:
    input:
        latents=[*map(PATHS.latents, HELD_OUT)],
        class_means=PATHS.class_means,
        bins=PATHS.bins,
        shared=PATHS.shared(),
    output:
        out=table_file("retrieval"),
        curves=PATHS / "evaluation/retrieval_curves.csv",
    log:
        PATHS.log("measure_retrieval"),
    localrule: True
    params:
        **call("wsl.evaluation.recall.measure_retrieval", unit=RUN.unit),


use rule job as map_shared_space with:
    input:
        latents=[*map(PATHS.latents, ("train", *HELD_OUT))],
        class_means=PATHS.class_means,
        bins=PATHS.bins,
        shared=PATHS.shared(),
    output:
        out=PATHS / "evaluation/shared_map.csv",
    log:
        PATHS.log("map_shared_space"),
    localrule: True
    params:
        **call("wsl.evaluation.shared_map.write_map", superclasses=RUN.superclasses, seed=RUN.seed("map")),
