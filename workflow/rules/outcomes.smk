rule outcome_bins:
    input:
        index=f"{OUT}/zoo/train.h5",
    output:
        out=f"{OUT}/outcomes/bins.json",
    log:
        f"{LOGS}/outcome_bins.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.outcomes.bins.write_bins",
        code=call_digest("wsl.outcomes.bins.write_bins"),
        settings=settings(**dict(RUN.config.outcomes)),
    script:
        CALL
