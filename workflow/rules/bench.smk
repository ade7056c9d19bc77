# Figures of the bench of weight encoders, and which of its tables stand in the report.

if ON_BENCH:

    rule encoder_training:
        input:
            table=rules.encoder_tables.output.losses,
        output:
            **figure_files("encoder_training", "Weight encoder", "training of the encoders and of what reads them"),
        log:
            f"{LOGS}/encoder_training.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            call="wsl.figures.encoder_training.draw",
            code=call_digest("wsl.figures.encoder_training.draw"),
            settings={},
        script:
            CALL

    rule encoder_shares:
        input:
            table=rules.encoder_tables.output.out,
        output:
            **figure_files("encoder_shares", "Weight encoder", "agreement by the share of the first stage"),
        log:
            f"{LOGS}/encoder_shares.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            call="wsl.figures.encoder_shares.draw",
            code=call_digest("wsl.figures.encoder_shares.draw"),
            settings={},
        script:
            CALL

    rule weight_encoders:
        input:
            table=rules.encoder_tables.output.out,
        output:
            **figure_files("weight_encoders", "Weight encoder", "agreement by the size of the latent"),
        log:
            f"{LOGS}/weight_encoders.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            call="wsl.figures.weight_encoders.draw",
            code=call_digest("wsl.figures.weight_encoders.draw"),
            settings=settings(chance=1 / RUN.config.zoo.classes_per_task),
        script:
            CALL


BENCH_FIGURES = ("weight_encoders", "encoder_training") if ON_BENCH else ()
if any(share_of(weights) is not None and not weights.encoder.reads_coefficients for weights in ON_BENCH.values()):
    BENCH_FIGURES += ("encoder_shares",)
BENCH_TABLES = (rules.encoder_tables.output.out, rules.encoder_tables.output.probed) if ON_BENCH else ()
