IMAGES = RUN.config.images
PACK = "wsl.images.packing.pack_classes"

if IMAGES.classes_per_job == 1:

    rule pack_class:
        output:
            out=packed(["{name}"]),
        log:
            f"{LOGS}/pack_class/{{name}}.log",
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            call=PACK,
            code=call_digest(PACK),
            settings=lambda wildcards: packing_of([wildcards.name]),
        script:
            CALL

else:

    # A rule a job, since no wildcard can stand for several names.
    for number, names in enumerate(RUN.class_groups):

        rule:
            name:
                f"pack_classes_{number}"
            output:
                out=packed(names),
            log:
                f"{LOGS}/pack_classes_{number}.log",
            conda:
                ENVIRONMENT
            resources:
                mem_mb=4000,
                runtime=60,
            params:
                call=PACK,
                code=call_digest(PACK),
                settings=lambda wildcards, names=names: packing_of(names),
            script:
                CALL


# Training starts only once every class is known to be usable. It waits for an empty file and not for the table: were
# that deleted, Snakemake would train every member again, `ancient` or not.
ALL_USABLE = f"{OUT}/images/complete"


rule class_table:
    input:
        packed=packed(RUN.classes),
    output:
        touch(ALL_USABLE),
        out=table_file("classes"),
    log:
        f"{LOGS}/class_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.images.reading.summarise",
        code=call_digest("wsl.images.reading.summarise"),
        settings={},
    script:
        CALL


rule list_packed:
    input:
        files=packed(RUN.classes),
    output:
        out=PACKED,
    log:
        f"{LOGS}/list_packed.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.files.list_files",
        code=call_digest("wsl.files.list_files"),
        settings={},
    script:
        CALL
