# Samplers and their baselines on held-out tasks: one judgement per method and draw, one table of all.
from wsl.evaluation.kinds import BASELINES, REFERENCES

# Two baselines stand on the generator's body, and exist where there is a generator.
COMPARED = [
    method for method in (*REFERENCES, *BASELINES) if "generator" in SAMPLING.samplers or not method.startswith("body-")
]


MODEL_INPUTS = {
    "train_index": CODEC["train_index"],
    "class_means": CLASS_MEANS,
    "packed": PACKED,
    "bins": rules.outcome_bins.output.out,
}


ABOUT_MODELS = {
    "run": RUN.config.run,
    "architecture": plain(RUN.config.zoo.architecture),
    "size": RUN.config.images.size,
    "encoder": RUN.config.datasets,
}


rule sample:
    input:
        **MODEL_INPUTS,
        **method_files(SAMPLING.sampler, 0),
    output:
        models=expand(f"{OUT}/sampling/models/{{member}}.safetensors", member=RUN.members("test")),
    log:
        f"{LOGS}/sample.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=60,
    params:
        call="wsl.sampling.models.sample_models",
        code=call_digest("wsl.sampling.models.sample_models"),
        settings=settings(
            **RUN.held_out(),
            **model_settings(SAMPLING.sampler),
            sampler=SAMPLING.sampler,
            seed=RUN.seed("sample"),
            about=ABOUT_MODELS,
        ),
    script:
        CALL


# What the command `wsl` reads: the sampler, the space of weights with all that is known in it, and what baselines need.
rule describe_sampler:
    input:
        **START_FILE,
        **({"body": rules.fit_body.output.out} if "generator" in SAMPLING.samplers else {}),
        **{**MODEL_INPUTS, **CODEC, **bank_file("latent"), **method_files(SAMPLING.sampler, 0)},
    output:
        out=f"{OUT}/sampling/sampler.json",
    log:
        f"{LOGS}/describe_sampler.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.sampling.description.describe_sampler",
        code=call_digest("wsl.sampling.description.describe_sampler"),
        settings=settings(
            sampler=SAMPLING.sampler,
            seed=RUN.seed("sample"),
            clip={**EMBEDDING, "seed": RUN.seed("clip")},
            prompts=DATASETS.prompts,
            about=ABOUT_MODELS,
            making=model_settings(SAMPLING.sampler),
            finetuning=EVALUATION.finetuning.model_dump(exclude={"epochs"}),
        ),
    script:
        CALL


# The one rule that reads test images.
rule judge:
    input:
        unpack(lambda wildcards: method_files(wildcards.method, int(wildcards.draw))),
        **MODEL_INPUTS,
        held_out=[index_of(part) for part in RUN.parts if part != "train"],
    output:
        out=f"{OUT}/evaluation/protocol/{{method}}-{{draw}}.csv",
    log:
        f"{LOGS}/judge/{{method}}-{{draw}}.log",
    benchmark:
        f"{OUT}/benchmarks/judge/{{method}}-{{draw}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=480,
    params:
        call="wsl.evaluation.protocol.judge",
        code=call_digest("wsl.evaluation.protocol.judge"),
        settings=lambda wildcards: settings(
            **model_settings(wildcards.method),
            method=wildcards.method,
            draw=int(wildcards.draw),
            counts=EVALUATION.image_counts,
            finetune=EVALUATION.finetuning,
        ),
    script:
        CALL


rule accuracy_table:
    input:
        judgements=[
            f"{OUT}/evaluation/protocol/{method}-{draw}.csv" for method, draw in fits(*COMPARED, *SAMPLING.samplers)
        ],
        beside=RUN.beside(),
    output:
        out=report(
            f"{OUT}/tables/accuracy.csv",
            caption="../report/accuracy.rst",
            category="Sampling",
            labels={"table": "accuracy on held-out tasks"},
        ),
        recalibration=report(
            f"{OUT}/tables/recalibration.csv",
            caption="../report/recalibration.rst",
            category="Sampling",
            labels={"table": "what new batch-normalisation statistics do"},
        ),
    log:
        f"{LOGS}/accuracy_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.evaluation.tables.accuracy_table",
        code=call_digest("wsl.evaluation.tables.accuracy_table"),
        settings=settings(regime=RUN.config.zoo.init, run=RUN.config.run, members=len(RUN.members("train"))),
    script:
        CALL


rule summary:
    input:
        classes=rules.class_table.output.out,
        members=rules.zoo_table.output.members,
        reconstruction=rules.reconstruction_table.output.out,
        accuracy=rules.accuracy_table.output.out,
        shared_history=rules.train_shared.output.history,
        bins=rules.outcome_bins.output.out,
    output:
        out=f"{OUT}/summary.json",
    log:
        f"{LOGS}/summary.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.evaluation.tables.write_summary",
        code=call_digest("wsl.evaluation.tables.write_summary"),
        settings=settings(classes_per_task=RUN.config.zoo.classes_per_task),
    script:
        CALL
