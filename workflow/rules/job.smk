# What all rules have in common: `use rule job as NAME with:` adds files and parameters.
rule job:
    log:
        PATHS.log("job"),
    conda:
        ENVIRONMENT
    script:
        CALL
