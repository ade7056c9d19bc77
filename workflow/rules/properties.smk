# What samplers can do beyond accuracy: control by R, retrieval, novelty and diversity, refinement, the shared space.
# All of it looks at validation images alone.
HELD_OUT = [part for part in ("test", "unseen") if part in RUN.parts]
HELD_OUT_INDICES = [index_of(part) for part in HELD_OUT]


rule judge_control:
    input:
        unpack(own_files),
        **MODEL_INPUTS,
        held_out=HELD_OUT_INDICES,
    output:
        out=f"{OUT}/evaluation/control/{{sampler}}-{{draw}}.csv",
    log:
        f"{LOGS}/judge_control/{{sampler}}-{{draw}}.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=240,
    params:
        call="wsl.evaluation.control.judge_control",
        code=call_digest("wsl.evaluation.control.judge_control", *ENCODER_ENTRIES),
        settings=lambda wildcards: making(wildcards, requests=EVALUATION.control_requests),
    script:
        CALL


rule control_table:
    input:
        measured=of_all(rules.judge_control.output.out),
    output:
        out=table_file("control"),
        points=f"{OUT}/evaluation/control.csv",
    log:
        f"{LOGS}/control_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.evaluation.control.control_table",
        code=call_digest("wsl.evaluation.control.control_table"),
        settings={},
    script:
        CALL


rule judge_novelty:
    input:
        unpack(own_files),
        **MODEL_INPUTS,
        held_out=HELD_OUT_INDICES,
    output:
        out=f"{OUT}/evaluation/novelty/{{sampler}}-{{draw}}.csv",
        diversity=f"{OUT}/evaluation/diversity/{{sampler}}-{{draw}}.csv",
    log:
        f"{LOGS}/judge_novelty/{{sampler}}-{{draw}}.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=240,
    params:
        call="wsl.evaluation.novelty.judge_novelty",
        code=call_digest("wsl.evaluation.novelty.judge_novelty", *ENCODER_ENTRIES),
        settings=lambda wildcards: making(wildcards, samples=EVALUATION.novelty_samples, outcome=SAMPLING.outcome),
    script:
        CALL


rule novelty_table:
    input:
        measured=of_all(rules.judge_novelty.output.out),
        diversity=of_all(rules.judge_novelty.output.diversity),
    output:
        out=table_file("novelty"),
    log:
        f"{LOGS}/novelty_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.evaluation.novelty.novelty_table",
        code=call_digest("wsl.evaluation.novelty.novelty_table"),
        settings={},
    script:
        CALL


# Samplers of whole weights have no code to refine, and leave an empty table.
rule judge_refinement:
    input:
        unpack(own_files),
        **MODEL_INPUTS,
        held_out=HELD_OUT_INDICES,
        latents=f"{OUT}/weights/latents/train.h5",
        coefficients=f"{OUT}/weights/coefficients/train.h5",
    output:
        out=f"{OUT}/evaluation/refinement/{{sampler}}-{{draw}}.csv",
    log:
        f"{LOGS}/judge_refinement/{{sampler}}-{{draw}}.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=240,
    params:
        call="wsl.evaluation.refined.judge_refinement",
        code=call_digest("wsl.evaluation.refined.judge_refinement", *ENCODER_ENTRIES),
        settings=lambda wildcards: making(wildcards, budget=SAMPLING.refinement, outcome=SAMPLING.outcome),
    script:
        CALL


rule refinement_table:
    input:
        measured=of_all(rules.judge_refinement.output.out),
    output:
        out=table_file("refinement"),
    log:
        f"{LOGS}/refinement_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.evaluation.refined.refinement_table",
        code=call_digest("wsl.evaluation.refined.refinement_table"),
        settings={},
    script:
        CALL


rule measure_retrieval:
    input:
        latents=[f"{OUT}/weights/latents/{part}.h5" for part in HELD_OUT],
        class_means=CLASS_MEANS,
        bins=rules.outcome_bins.output.out,
        shared=rules.train_shared.output.out,
    output:
        out=table_file("retrieval"),
        curves=f"{OUT}/evaluation/retrieval_curves.csv",
    log:
        f"{LOGS}/measure_retrieval.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.evaluation.retrieval.measure_retrieval",
        code=call_digest("wsl.evaluation.retrieval.measure_retrieval"),
        settings={},
    script:
        CALL


rule map_shared_space:
    input:
        latents=[f"{OUT}/weights/latents/{part}.h5" for part in ("train", *HELD_OUT)],
        class_means=CLASS_MEANS,
        bins=rules.outcome_bins.output.out,
        shared=rules.train_shared.output.out,
    output:
        out=f"{OUT}/evaluation/shared_map.csv",
    log:
        f"{LOGS}/map_shared_space.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.evaluation.shared_map.write_map",
        code=call_digest("wsl.evaluation.shared_map.write_map"),
        settings=settings(
            superclasses=RUN.superclasses,
            members=EVALUATION.map_members,
            method=EVALUATION.map_method,
            seed=RUN.seed("map"),
        ),
    script:
        CALL
