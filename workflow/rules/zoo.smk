rule plan:
    output:
        out=f"{OUT}/zoo/plan.csv",
    log:
        f"{LOGS}/plan.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.zoo.plan.write_plan",
        code=call_digest("wsl.zoo.plan.write_plan"),
        settings=settings(plan=RUN.plan),
    script:
        CALL


# Where members start alike, what they start from.
START = RUN.start()
START_INPUT = {}
if START and START[0].endswith("train_backbone"):
    START_INPUT["packed"] = packed(RUN.groups["backbone"])
    if START[1]["teacher"]:
        START_INPUT["taught"] = features(RUN.groups["backbone"])
elif START and START[0].endswith("import_backbone"):
    START_INPUT["file"] = RUN.pretrained.checkpoint_files[0]
START_FILE = {"start": f"{OUT}/zoo/start.safetensors"} if START else {}
if START:

    rule start:
        input:
            ancient(ALL_USABLE),
            **START_INPUT,
        output:
            out=START_FILE["start"],
        log:
            f"{LOGS}/start.log",
        benchmark:
            f"{OUT}/benchmarks/start.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=1,
            mem_mb=4000,
            runtime=480,
        params:
            call=START[0],
            code=call_digest(START[0]),
            settings=settings(**START[1]),
        script:
            CALL


if RUN.config.zoo.cohort == 1:

    rule train_member:
        input:
            ancient(ALL_USABLE),
            **START_FILE,
            packed=lambda wildcards: packed(RUN.task(wildcards.member)),
        output:
            out=f"{OUT}/zoo/members/{{member}}.h5",
        log:
            f"{LOGS}/train_member/{{member}}.log",
        benchmark:
            f"{OUT}/benchmarks/train_member/{{member}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=1,
            mem_mb=4000,
            runtime=240,
        params:
            call="wsl.zoo.training.train_member",
            code=call_digest("wsl.zoo.training.train_member"),
            settings=lambda wildcards: settings(**RUN.training(wildcards.member)),
        script:
            CALL

else:

    # Members 40 to 49 are cohort 4 of ten, so that a member's file has its name whatever the cohorts.
    rule train_cohort:
        input:
            ancient(ALL_USABLE),
            **START_FILE,
            packed=lambda wildcards: packed(RUN.cohort_classes(cohort_members(wildcards.cohort))),
        output:
            out=cohort_members(f"{OUT}/zoo/members/{{cohort}}", ".h5"),
        log:
            f"{LOGS}/train_cohort/{{cohort}}.log",
        benchmark:
            f"{OUT}/benchmarks/train_cohort/{{cohort}}.tsv"
        wildcard_constraints:
            cohort=r"\d+",
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=960,
        params:
            call="wsl.zoo.cohort.train_cohort",
            code=call_digest("wsl.zoo.cohort.train_cohort"),
            settings=lambda wildcards: settings(
                members=[plain(RUN.training(member)) for member in cohort_members(wildcards.cohort)]
            ),
        script:
            CALL


# One index a part: the PCA jobs depend on the training members' alone, so that a new test member refits nothing.
rule index_part:
    input:
        paths=lambda wildcards: member_files(wildcards.part),
    output:
        out=f"{OUT}/zoo/{{part}}.h5",
    log:
        f"{LOGS}/index_part/{{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/index_part/{{part}}.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.zoo.index.write_index",
        code=call_digest("wsl.zoo.index.write_index"),
        settings={},
    script:
        CALL


rule zoo_table:
    input:
        indices=expand(rules.index_part.output.out, part=RUN.parts),
    output:
        members=table_file("members"),
        history=f"{OUT}/zoo/history.csv",
    log:
        f"{LOGS}/zoo_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.zoo.overview.write_overview",
        code=call_digest("wsl.zoo.overview.write_overview"),
        settings={},
    script:
        CALL
