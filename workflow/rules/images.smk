PACK = {"digits": "wsl.images.packing.pack_digits", "imagefolder": "wsl.images.packing.pack_folder"}[
    RUN.config.images.source
]


# Training starts only once every class is known to be usable: see the input of train_member.
rule pack_class:
    output:
        out=f"{OUT}/images/{{name}}.h5",
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
        settings=lambda wildcards: settings(**RUN.packing(wildcards.name)),
    script:
        CALL


rule class_table:
    input:
        packed=packed(RUN.classes),
    output:
        out=report(
            f"{OUT}/tables/classes.csv",
            caption="../report/classes.rst",
            category="Images",
            labels={"table": "images of each class"},
        ),
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
