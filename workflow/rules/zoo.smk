use rule job as plan with:
    output:
        out=PATHS / "zoo/plan.csv",
    log:
        PATHS.log("plan"),
    localrule: True
    params:
        **call("wsl.zoo.plan.write_plan", plan=RUN.plan),


# The weights that members start from, if they share them.
START = RUN.start()
START_INPUT = {}
if START and START[0].endswith("train_backbone"):
    START_INPUT["packed"] = packed(RUN.groups["backbone"])
    if START[1]["settings"].teacher:
        START_INPUT["taught"] = features(RUN.groups["backbone"])
elif START and START[0].endswith("import_backbone"):
    START_INPUT["file"] = RUN.pretrained.checkpoint_files[0]
START_FILE = {"start": PATHS.start} if START else {}
if START:

    use rule job as start with:
        input:
            ancient(ALL_USABLE),
            **START_INPUT,
        output:
            out=START_FILE["start"],
        log:
            PATHS.log("start"),
        benchmark:
            PATHS.benchmark("start")
        threads: 1
        resources:
            gpu=1,
            mem_mb=4000,
            runtime=480,
        params:
            **call(START[0], **START[1]),


if RUN.imported:
    pass  # their files are read where they are

elif RUN.config.zoo.cohort == 1:

    use rule job as train_member with:
        input:
            ancient(ALL_USABLE),
            **START_FILE,
            packed=lambda wildcards: packed(RUN.task(wildcards.member)),
        output:
            out=PATHS.member("{member}"),
        log:
            PATHS.log("train_member/{member}"),
        benchmark:
            PATHS.benchmark("train_member/{member}")
        threads: 1
        resources:
            gpu=1,
            mem_mb=4000,
            runtime=240,
        params:
            **call(
                "wsl.zoo.training.train_member",
                plan=lambda wildcards: RUN.training(wildcards.member),
                settings=RUN.config.zoo.member_training(),
                normalisation=RUN.config.images.normalisation,
            ),

else:

    # Cohort 4 of size ten trains members 40 to 49, so that names of files do not depend on the size.
    use rule job as train_cohort with:
        input:
            ancient(ALL_USABLE),
            **START_FILE,
            packed=lambda wildcards: packed(RUN.cohort_classes(cohort_members(wildcards.cohort))),
        output:
            out=cohort_members(f"{OUT}/zoo/members/{{cohort}}", ".h5"),
        log:
            PATHS.log("train_cohort/{cohort}"),
        benchmark:
            PATHS.benchmark("train_cohort/{cohort}")
        wildcard_constraints:
            cohort=r"\d+",
        threads: 1
        resources:
            gpu=1,
            mem_mb=8000,
            runtime=960,
        params:
            **call(
                "wsl.zoo.cohort.train_cohort",
                plans=lambda wildcards: [RUN.training(member) for member in cohort_members(wildcards.cohort)],
                settings=RUN.config.zoo.member_training(),
                normalisation=RUN.config.images.normalisation,
            ),


# One index per part: PCA depends on that of the training members only, so a new test member refits nothing.
use rule job as index_part with:
    input:
        paths=lambda wildcards: member_files(wildcards.part),
    output:
        out=PATHS.index("{part}"),
    log:
        PATHS.log("index_part/{part}"),
    benchmark:
        PATHS.benchmark("index_part/{part}")
    localrule: True
    params:
        # Trained members know by which normalisation they were trained.
        **call(
            "wsl.zoo.index.write_index",
            **({"normalisation": RUN.config.images.normalisation} if RUN.imported else {}),
        ),


use rule job as zoo_table with:
    input:
        indices=expand(rules.index_part.output.out, part=RUN.parts),
    output:
        members=table_file("members"),
        history=PATHS / "zoo/history.csv",
    log:
        PATHS.log("zoo_table"),
    localrule: True
    params:
        **call("wsl.zoo.overview.write_overview"),
