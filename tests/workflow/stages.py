"""Which jobs follow a stage of the tiny run, with what they make in turn."""

from collections import Counter

# What follows a stage, from the end of the chain to its start.
REPORT = Counter(html_report=1)
SUMMARY = Counter(summary=1, explore=1, about_tables=1) + REPORT
SAMPLING_TABLES = Counter(accuracy_table=1, accuracy=1, finetuning=1, regimes=1) + SUMMARY
METHODS = 10  # nine baselines and references, and the sampler
SAMPLER = Counter(sample=1, describe_sampler=1, judge=1) + SAMPLING_TABLES
SAMPLING = Counter(sample=1, describe_sampler=1, judge=METHODS) + SAMPLING_TABLES
SHARED = Counter(train_shared=1, shared_encoder_loss=1, similarities=1, similarity_heatmap=1) + SAMPLER
RECONSTRUCTION = Counter(reconstruction=1, reconstruction_table=1) + SUMMARY
OUTPUTS = Counter(reconstruction_over_training=1, output_metrics=1) + REPORT
# The sampler and the reconstructed members are decoded; no other baseline is.
DECODED = Counter(judge=2)
AUTOENCODER = (Counter(train_weight_encoder=1, autoencoder_loss=1, embed_weights=3) | RECONSTRUCTION | OUTPUTS) | SHARED
AUTOENCODER |= DECODED
# Every parameter of a network this small is fitted in one job.
PCA = Counter(fit_small_pca=1, pca_table=1, coefficients=3) | AUTOENCODER
ZOO_TABLES = Counter(zoo_table=1, zoo_overview=1) + SUMMARY
TRAINING_INDEX = Counter(index_part=1, outcome_bins=1) | ZOO_TABLES | PCA | SAMPLING
CLASS_MEANS = Counter(clip_features=5, list_class_means=1) | SHARED | SAMPLING
FIGURES = Counter(zoo_overview=1, autoencoder_loss=1, output_metrics=1, accuracy=1, finetuning=1, regimes=1) + Counter(
    shared_encoder_loss=1, similarity_heatmap=1
)
EVERY_MEMBER = Counter(train_cohort=8) | TRAINING_INDEX | Counter(index_part=3)
EVERYTHING = Counter(pack_class=5, class_table=1, list_packed=1, plan=1) | EVERY_MEMBER | CLASS_MEANS
