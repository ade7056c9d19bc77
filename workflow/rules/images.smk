# Images that the config names, packed images, and pretrained weights that the config names by tag or repository.

IMAGES = RUN.config.images
FETCHED = {str(source.index_file): source for source in IMAGES.source.fetched()}


# Fetched where Snakemake runs, so that no node of a cluster needs a network, into folders that runs share. Packing reads
# the index. Not `ancient`: Snakemake would miss the changed fingerprints of classes behind it.
for number, (index, source) in enumerate(FETCHED.items()):

    rule:
        name:
            f"fetch_images_{number}"
        output:
            out=index,
        log:
            PATHS.log(f"fetch_images_{number}"),
        localrule: True
        conda:
            ENVIRONMENT
        params:
            **call(
                "wsl.images.fetched.fetch_images",
                [type(source)],
                settings={"source": source.described()},
                stamp=source.stamp(),
            ),
        script:
            CALL


# Images of the zoo of another run are packed already.
for rule_name, log_name, names, classes_of in () if RUN.borrowed else class_jobs("pack_class", "pack_classes"):

    rule:
        name:
            rule_name
        input:
            list(FETCHED),
        output:
            out=packed(names),
        log:
            PATHS.log(log_name),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            **call(
                "wsl.images.packing.pack_classes",
                IMAGES.source_types,
                classes=classes_of,
                settings=IMAGES.packing,
                fingerprints=lambda wildcards, of=classes_of: list(map(IMAGES.source.fingerprint, of(wildcards))),
                seed=RUN.config.seed,
            ),
        script:
            CALL


# Training starts only once every class is known to be usable. It waits for an empty file and not for the table: if the
# table were deleted, Snakemake would train every member again, `ancient` or not.
ALL_USABLE = f"{OUT}/images/complete"


use rule job as class_table with:
    input:
        packed=packed(RUN.classes),
    output:
        touch(ALL_USABLE),
        out=table_file("classes"),
    log:
        PATHS.log("class_table"),
    localrule: True
    params:
        **call("wsl.images.reading.summarise"),


use rule job as list_packed with:
    input:
        files=packed(RUN.classes),
    output:
        out=PATHS / "images/all.json",  # not `all_packed`, which may be another run's
    log:
        PATHS.log("list_packed"),
    localrule: True
    params:
        **call("wsl.files.plain.list_files"),


# Pretrained weights are fetched where Snakemake runs, so that no node of a cluster needs a network.
if RUN.pretrained.clip_folder:

    use rule job as fetch_clip with:
        input:
            RUN.pretrained.clip_config,
        output:
            folder=directory(RUN.pretrained.clip_folder),
            out=checked(RUN.pretrained.clip["weights"], RUN.config.datasets.sha256),
        log:
            PATHS.log("fetch_clip"),
        localrule: True
        params:
            **call(
                "wsl.datasets.fetching.fetch_clip",
                model=RUN.config.datasets.model,
                weights=RUN.config.datasets.weights,
                texts=bool(RUN.config.datasets.prompts),
            ),


if RUN.pretrained.checkpoint_fetched:

    use rule job as fetch_checkpoint with:
        output:
            out=checked(RUN.pretrained.checkpoint_files[0], RUN.config.zoo.backbone.sha256),
        log:
            PATHS.log("fetch_checkpoint"),
        localrule: True
        params:
            **call("wsl.zoo.fetching.fetch_checkpoint", checkpoint=RUN.config.zoo.backbone.checkpoint),
