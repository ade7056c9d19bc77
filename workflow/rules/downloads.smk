# Pretrained weights that the config names by tag or repository. They are fetched where Snakemake runs, so that no node
# of a cluster needs a network, and are files like any other from there on.


if RUN.pretrained.clip_folder:

    rule fetch_clip:
        input:
            RUN.pretrained.clip_config,
        output:
            folder=directory(RUN.pretrained.clip_folder),
            out=checked(RUN.pretrained.clip["weights"], RUN.config.datasets.sha256),
        log:
            f"{LOGS}/fetch_clip.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            call="wsl.datasets.fetching.fetch_clip",
            code=call_digest("wsl.datasets.fetching.fetch_clip"),
            settings=settings(
                model=RUN.config.datasets.model,
                weights=RUN.config.datasets.weights,
                texts=bool(RUN.config.datasets.prompts),
            ),
        script:
            CALL


if RUN.pretrained.checkpoint_fetched:

    rule fetch_checkpoint:
        output:
            out=checked(RUN.pretrained.checkpoint_files[0], RUN.config.zoo.backbone.sha256),
        log:
            f"{LOGS}/fetch_checkpoint.log",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            call="wsl.zoo.fetching.fetch_checkpoint",
            code=call_digest("wsl.zoo.fetching.fetch_checkpoint"),
            settings=settings(checkpoint=RUN.config.zoo.backbone.checkpoint),
        script:
            CALL
