use rule job as plan with:
    output:
        out=PATHS / "zoo/plan.csv",
        description=PATHS.zoo_description,
    log:
        PATHS.log("plan"),
    localrule: True
    params:
        **call("wsl.zoo.plan.write_plan", plan=RUN.plan, about=described(RUN)),


# The weights that members start from, if they share them: one file, in a mixed zoo one for each architecture.
START = RUN.start()
START_INPUT = {}
if START and START[0].endswith("train_backbone"):
    START_INPUT["packed"] = packed(RUN.groups["backbone"])
    if START[1]["settings"].teacher:
        START_INPUT["taught"] = features(RUN.groups["backbone"])
elif START and START[0].endswith("import_backbone"):
    START_INPUT["file"] = RUN.pretrained.checkpoint_files[0]
START_FILE = PATHS / "zoo/{label}/start.safetensors" if RUN.mixed else PATHS.start
if START and not RUN.borrowed:

    use rule job as start with:
        input:
            ancient(ALL_USABLE),
            **START_INPUT,
        output:
            out=START_FILE,
        log:
            PATHS.log("start/{label}" if RUN.mixed else "start"),
        benchmark:
            PATHS.benchmark("start/{label}" if RUN.mixed else "start")
        threads: 1
        resources:
            gpu=1,
            mem_mb=4000,
            runtime=480,
        params:
            **call(START[0], **{**START[1], "network": lambda wildcards: RUN.network_of(wildcards.get("label")).whole}),


# Files of imported members and of the zoo of another run are read where they are.
if RUN.trained:

    use rule job as train_cohort with:
        input:
            ancient(ALL_USABLE),
            **({"start": lambda wildcards: START_FILE.format(label=network_label(wildcards))} if START else {}),
            packed=images_of_cohort,
        output:
            out=PATHS.cohort("{cohort}"),
        log:
            PATHS.log("train_cohort/{cohort}"),
        benchmark:
            PATHS.benchmark("train_cohort/{cohort}")
        wildcard_constraints:
            cohort=r"\d{5,7}" if RUN.config.zoo.cohort == 1 else r"\d{5,7}-\d{5,7}",
        threads: 1
        resources:
            gpu=1,
            mem_mb=4000 if RUN.config.zoo.cohort == 1 else 8000,
            runtime=240 if RUN.config.zoo.cohort == 1 else 960,
        params:
            **call(
                "wsl.zoo.cohort.train_cohort",
                plans=lambda wildcards: [RUN.training(member) for member in cohort(wildcards)],
                settings=lambda wildcards: RUN.member_training(cohort(wildcards)[0]),
                normalisation=RUN.config.images.normalisation,
            ),


# One index per part: PCA depends on that of the training members only, so a new test member refits nothing. Members of
# a mixed zoo have one per architecture too.
INDEXED = "{label}/{part}" if RUN.mixed else "{part}"


use rule job as index_part with:
    input:
        paths=lambda wildcards: RUN.member_files(members_of(wildcards)),
    output:
        out=PATHS.index(INDEXED),
    log:
        PATHS.log(f"index_part/{INDEXED}"),
    benchmark:
        PATHS.benchmark(f"index_part/{INDEXED}")
    localrule: True
    params:
        # Trained members know by which normalisation they were trained.
        **call(
            "wsl.zoo.index.write_index",
            members=lambda wildcards: [*map(int, members_of(wildcards))],
            **({"normalisation": RUN.config.images.normalisation} if RUN.imported else {}),
            **({"snapshots": RUN.config.zoo.snapshots} if RUN.fewer_snapshots else {}),
        ),


use rule job as zoo_table with:
    input:
        indices=expand(rules.index_part.output.out, part=RUN.parts, label=list(RUN.networks)),
    output:
        members=table_file("members"),
        history=PATHS / "zoo/history.csv",
    log:
        PATHS.log("zoo_table"),
    localrule: True
    params:
        **call("wsl.zoo.overview.write_overview"),
