WEIGHTS = RUN.config.weights
PCA_FILES = [f"{OUT}/weights/pca/{entry.name}.h5" for entry in RUN.layout.entries]
PCA_KEYS = ("variance_threshold", "dimension_limit", "components", "explained_variance", "solver")


# A copy of the zoo, as large as the zoo: only where it is asked for.
if WEIGHTS.align:

    rule align_part:
        input:
            index=f"{OUT}/zoo/{{part}}.h5",
            train_index=f"{OUT}/zoo/train.h5",
        output:
            out=f"{OUT}/weights/aligned/{{part}}.h5",
        log:
            f"{LOGS}/align_part/{{part}}.log",
        conda:
            ENVIRONMENT
        resources:
            mem_mb=4000,
            runtime=240,
        params:
            call="wsl.weights.alignment.align_part",
            code=call_digest("wsl.weights.alignment.align_part"),
            settings=settings(seed=RUN.seed("alignment")),
        script:
            CALL


rule fit_pca:
    input:
        index=index_of("train"),
    output:
        out=f"{OUT}/weights/pca/{{name}}.h5",
    log:
        f"{LOGS}/fit_pca/{{name}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        call="wsl.weights.pca.fit_parameter",
        code=call_digest("wsl.weights.pca.fit_parameter"),
        settings=lambda wildcards: settings(
            name=wildcards.name,
            seed=RUN.seed("pca"),
            orders=WEIGHTS.orders,
            **{key: getattr(WEIGHTS, key) for key in PCA_KEYS},
        ),
    script:
        CALL


rule pca_table:
    input:
        fitted=PCA_FILES,
    output:
        out=report(
            f"{OUT}/tables/pca.csv",
            caption="../report/pca.rst",
            category="Weight encoder",
            labels={"table": "compression of each named parameter"},
        ),
    log:
        f"{LOGS}/pca_table.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.weights.coefficients.pca_table",
        code=call_digest("wsl.weights.coefficients.pca_table"),
        settings={},
    script:
        CALL


rule coefficients:
    input:
        index=lambda wildcards: index_of(wildcards.part),
        fitted=PCA_FILES,
    output:
        out=f"{OUT}/weights/coefficients/{{part}}.h5",
    log:
        f"{LOGS}/coefficients/{{part}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        call="wsl.weights.coefficients.encode_part",
        code=call_digest("wsl.weights.coefficients.encode_part"),
        # The same seed as PCA's, so that both see the same orders.
        settings=lambda wildcards: settings(
            seed=RUN.seed("pca"),
            orders=WEIGHTS.orders if wildcards.part == "train" else 1,
        ),
    script:
        CALL


rule train_autoencoder:
    input:
        train=f"{OUT}/weights/coefficients/train.h5",
        validation=f"{OUT}/weights/coefficients/validation.h5",
    output:
        out=f"{OUT}/weights/autoencoder.safetensors",
        history=f"{OUT}/weights/autoencoder_history.csv",
        checkpoints=f"{OUT}/weights/autoencoder_checkpoints.safetensors",
    log:
        f"{LOGS}/train_autoencoder.log",
    benchmark:
        f"{OUT}/benchmarks/train_autoencoder.tsv"
    conda:
        ENVIRONMENT
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
    params:
        call="wsl.weights.autoencoder.train_autoencoder",
        code=call_digest("wsl.weights.autoencoder.train_autoencoder"),
        settings=settings(
            normalise=WEIGHTS.normalise,
            latent=WEIGHTS.autoencoder.latent,
            hidden=WEIGHTS.autoencoder.hidden,
            dropout=WEIGHTS.autoencoder.dropout,
            checkpoint_count=WEIGHTS.autoencoder.checkpoints,
            recipe=RUN.recipe(WEIGHTS.autoencoder),
            seed=RUN.seed("autoencoder"),
        ),
    script:
        CALL


rule embed_weights:
    input:
        coefficients=f"{OUT}/weights/coefficients/{{part}}.h5",
        autoencoder=rules.train_autoencoder.output.out,
    output:
        out=f"{OUT}/weights/latents/{{part}}.h5",
    log:
        f"{LOGS}/embed_weights/{{part}}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.weights.codec.embed_part",
        code=call_digest("wsl.weights.codec.embed_part"),
        settings={},
    script:
        CALL
