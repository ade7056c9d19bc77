# Each figure is a target of its own: results/<run>/figures/<name>.pdf, drawn by wsl/figures/<name>.py.
FIGURES = (
    "zoo_overview",
    "autoencoder_loss",
    "output_metrics",
    "shared_encoder_loss",
    "similarity_heatmap",
    "accuracy",
    "finetuning",
    "regimes",
    *DATASET_FIGURES,
    *(("growth",) if EVALUATION.growth else ()),
    *BENCH_FIGURES,
    *PROPERTY_FIGURES,
)


rule zoo_overview:
    input:
        members=rules.zoo_table.output.members,
        history=rules.zoo_table.output.history,
    output:
        **figure_files("zoo_overview", "Zoo", "zoo: learning curves, accuracies, losses"),
    log:
        f"{LOGS}/zoo_overview.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.figures.zoo_overview.draw",
        code=call_digest("wsl.figures.zoo_overview.draw"),
        settings={},
    script:
        CALL


rule autoencoder_loss:
    input:
        history=rules.train_weight_encoder.output.history,
    output:
        **figure_files("autoencoder_loss", "Weight encoder", "4.1a: autoencoder losses"),
    log:
        f"{LOGS}/autoencoder_loss.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.figures.autoencoder_loss.draw",
        code=call_digest("wsl.figures.autoencoder_loss.draw"),
        settings={},
    script:
        CALL


rule output_metrics:
    input:
        measured=rules.reconstruction_over_training.output.out,
    output:
        **figure_files("output_metrics", "Weight encoder", "4.1b: outputs on synthetic images"),
    log:
        f"{LOGS}/output_metrics.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.figures.output_metrics.draw",
        code=call_digest("wsl.figures.output_metrics.draw"),
        settings=settings(chance=1 / RUN.config.zoo.classes_per_task),
    script:
        CALL


rule shared_encoder_loss:
    input:
        history=rules.train_shared.output.history,
    output:
        **figure_files("shared_encoder_loss", "Shared space", "4.2: shared encoder losses"),
    log:
        f"{LOGS}/shared_encoder_loss.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.figures.shared_encoder_loss.draw",
        code=call_digest("wsl.figures.shared_encoder_loss.draw"),
        settings={},
    script:
        CALL


rule similarity_heatmap:
    input:
        similarities=rules.similarities.output.out,
    output:
        **figure_files("similarity_heatmap", "Shared space", "4.3: weight latents against (D, R) pairs"),
    log:
        f"{LOGS}/similarity_heatmap.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.figures.similarity_heatmap.draw",
        code=call_digest("wsl.figures.similarity_heatmap.draw"),
        settings={},
    script:
        CALL


rule accuracy:
    input:
        table=rules.accuracy_table.output.out,
    output:
        **figure_files("accuracy", "Sampling", "accuracy of samplers and baselines"),
    log:
        f"{LOGS}/accuracy.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.figures.accuracy.draw",
        code=call_digest("wsl.figures.accuracy.draw"),
        settings={},
    script:
        CALL


rule finetuning:
    input:
        table=rules.accuracy_table.output.out,
    output:
        **figure_files("finetuning", "Sampling", "accuracy after fine-tuning"),
    log:
        f"{LOGS}/finetuning.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.figures.finetuning.draw",
        code=call_digest("wsl.figures.finetuning.draw"),
        settings={},
    script:
        CALL


rule regimes:
    input:
        table=rules.accuracy_table.output.out,
    output:
        **figure_files("regimes", "Sampling", "accuracy of sampled models by regime"),
    log:
        f"{LOGS}/regimes.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.figures.regimes.draw",
        code=call_digest("wsl.figures.regimes.draw"),
        settings={},
    script:
        CALL


rule growth:
    input:
        table=rules.accuracy_table.output.out,
    output:
        **figure_files("growth", "Sampling", "accuracy by the number of members"),
    log:
        f"{LOGS}/growth.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.figures.growth.draw",
        code=call_digest("wsl.figures.growth.draw"),
        settings={},
    script:
        CALL


rule html_report:
    input:
        figures=expand(f"{OUT}/figures/{{figure}}.png", figure=FIGURES),
        tables=[
            rules.reconstruction_table.output.out,
            rules.accuracy_table.output.out,
            rules.accuracy_table.output.recalibration,
            *PROPERTY_TABLES,
            *BENCH_TABLES,
            rules.pca_table.output.out,
            rules.zoo_table.output.members,
            rules.class_table.output.out,
        ],
        captions=CAPTIONS,
        summary=rules.summary.output.out,
    output:
        out=f"{OUT}/report.html",
    log:
        f"{LOGS}/html_report.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        call="wsl.report.page.write_report",
        code=call_digest("wsl.report.page.write_report"),
        settings=settings(config=RUN.config, facts=FACTS),
    script:
        CALL
