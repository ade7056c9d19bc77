# The sampler that generates whole weights.
GENERATOR = SAMPLING.generator
KNOWN = RUN.groups["tasks"] + RUN.groups["backbone"]


# The body that all generated models share; its heads are fitted once a draw.
rule fit_body:
    input:
        **({"taught": expand(f"{OUT}/datasets/class_means/{{name}}.h5", name=KNOWN)} if GENERATOR.body.teacher else {}),
        index=index_of("train"),
        packed=packed(KNOWN),
    output:
        out=f"{OUT}/sampling/body.safetensors",
    log:
        f"{LOGS}/fit_body.log",
    benchmark:
        f"{OUT}/benchmarks/fit_body.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=480,
    params:
        **call("wsl.sampling.body.fit_body", settings=GENERATOR.body, seed=RUN.seed("body")),
    script:
        CALL


rule fit_generator:
    input:
        body=rules.fit_body.output.out,
        class_means=expand(f"{OUT}/datasets/class_means/{{name}}.h5", name=KNOWN),
        packed=packed(KNOWN),
    output:
        out=f"{OUT}/sampling/generator-{{draw}}.safetensors",
    log:
        f"{LOGS}/fit_generator/{{draw}}.log",
    benchmark:
        f"{OUT}/benchmarks/fit_generator/{{draw}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=120,
    params:
        call="wsl.sampling.generator.fit_generator",
        code=call_digest("wsl.sampling.generator.fit_generator"),
        settings=lambda wildcards: settings(
            seed=RUN.seed("generator", int(wildcards.draw)),
            counts=[0, *GENERATOR.image_counts],
            names=GENERATOR.names,
            known=KNOWN,
        ),
    script:
        CALL
