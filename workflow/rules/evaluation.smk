EVALUATION = RUN.config.evaluation
CODEC = {
    "train_index": index_of("train"),
    "fitted": PCA_FILES,
    "autoencoder": rules.train_weight_encoder.output.out,
}


rule reconstruction_over_training:
    input:
        index=index_of("test"),
        fitted=PCA_FILES,
        checkpoints=rules.train_weight_encoder.output.checkpoints,
    output:
        out=f"{OUT}/evaluation/reconstruction_over_training.csv",
    log:
        f"{LOGS}/reconstruction_over_training.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=120,
    params:
        **call(
            "wsl.evaluation.reconstruction.over_training",
            ENCODER_ENTRIES,
            images=EVALUATION.synthetic_images,
            size=RUN.config.images.size,
            seed=RUN.seed("synthetic images"),
        ),
    script:
        CALL


rule reconstruction:
    input:
        index=index_of("test"),
        coefficients=PATHS.coefficients("test"),
        train_index=index_of("train"),
        fitted=PCA_FILES,
        encoder=PATHS.weight_encoder,
        packed=PACKED,
    output:
        out=f"{OUT}/evaluation/reconstruction.csv",
    log:
        f"{LOGS}/reconstruction.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=120,
    params:
        **call("wsl.evaluation.reconstruction.on_training_data", ENCODER_ENTRIES, most=EVALUATION.training_images),
    script:
        CALL


rule reconstruction_table:
    input:
        measured=rules.reconstruction.output.out,
    output:
        out=table_file("reconstruction"),
    log:
        f"{LOGS}/reconstruction_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.evaluation.tables.reconstruction_table",
        code=call_digest("wsl.evaluation.tables.reconstruction_table"),
        settings={},
    script:
        CALL
