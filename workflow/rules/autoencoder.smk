# The weight encoder W <-> z_W.


rule train_autoencoder:
    input:
        **INDICES,
        **encoder_inputs(),
    output:
        out=PATHS.weight_encoder,
        history=PATHS / "weights/encoder_history.csv",
        checkpoints=PATHS / "weights/encoder_checkpoints.safetensors",
    log:
        f"{LOGS}/train_autoencoder.log",
    benchmark:
        f"{OUT}/benchmarks/train_autoencoder.tsv"
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=480,
    params:
        call=TRAIN_ENCODER,
        code=call_digest(TRAIN_ENCODER),
        settings=settings(
            **ENCODER_SETTINGS,
            **common_settings(WEIGHTS),
        ),
    script:
        CALL


rule embed_weights:
    input:
        index=lambda wildcards: index_of(wildcards.part),
        coefficients=f"{OUT}/weights/coefficients/{{part}}.h5",
        fitted=PCA_FILES,
        autoencoder=rules.train_autoencoder.output.out,
    output:
        out=f"{OUT}/weights/latents/{{part}}.h5",
    log:
        f"{LOGS}/embed_weights/{{part}}.log",
    benchmark:
        f"{OUT}/benchmarks/embed_weights/{{part}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        call="wsl.weights.codec.embed_part",
        code=call_digest("wsl.weights.codec.embed_part"),
        settings=lambda wildcards: orders_of(wildcards.part),
    script:
        CALL
