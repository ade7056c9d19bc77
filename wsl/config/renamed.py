"""Keys of earlier versions of the config, with the new name or the remedy of each."""

FLOW = "the flow now starts from the prediction of `regression`"
FOLDERS = "write images.source: {name: imagefolder, train: ..., test: ...}"
GONE = "no longer a setting; remove it"
CONSTANTS = (  # of samplers and of their evaluation, beside the code that uses them
    *("sampling.flow.space", "sampling.flow.normalise", "sampling.flow.weight_decay", "sampling.flow.patience"),
    *("sampling.flow.schedule", "sampling.flow.keep", "sampling.flow.frequencies", "sampling.flow.method"),
    *("sampling.regression.temperature", "sampling.regression.symmetric", "sampling.regression.weight_decay"),
    *("sampling.regression.patience", "sampling.regression.schedule", "sampling.regression.keep"),
    *("sampling.regression.outcome_embedding", "sampling.regression.standardise", "sampling.regression.losses"),
    *("sampling.regression.space", "sampling.regression.normalise", "sampling.retrieval", "sampling.refinement"),
    *("sampling.memory_bank.space", "sampling.memory_bank.outcome", "sampling.memory_bank.width"),
    *("sampling.generator.body.weight_decay", "sampling.generator.body.batch_size", "sampling.recalibration.strength"),
    *("evaluation.control_requests", "evaluation.novelty_samples", "evaluation.map_members", "evaluation.map_method"),
)

# By the former key. A key that comes back must be deleted here.
RENAMED = {
    **dict.fromkeys(CONSTANTS, GONE),
    "images.train": f"now images.source.train; {FOLDERS}",
    "images.test": f"now images.source.test; {FOLDERS}",
    "images.drawn": "now images.source.drawn; write images.source: {name: glyphs, drawn: ...}",
    "images.test_share": "now images.source.test_share",
    "datasets.batch_size": GONE,
    "datasets.distilled": GONE,
    "datasets.set": GONE,
    "sampling.flow.image_counts": f"now sampling.regression.image_counts: {FLOW}",
    "sampling.norm": "now sampling.projection.norm",
    "sampling.flow.condition_dropout": f"no longer a setting, remove it: {FLOW}, which uses all conditions",
    "shared.temperature": "now shared.losses.nt_xent.temperature",
    "shared.symmetric": "now shared.losses.nt_xent.symmetric",
    "weights.autoencoder": "now settings of weights.encoder, for example `encoder: {name: pca-ae, latent: 64, "
    "hidden: [], epochs: 200}`; `behaviour` is now a number, and `checkpoints` is no longer a setting",
    "weights.tokens": "now settings of weights.encoder, for example `encoder: {name: sane, size: 289, windows: 4}`; of "
    "the others only `beta`, `runs` and `permute` are still settings",
    "weights.normalise": "now weights.encoder.normalise",
    "weights.share": "now the setting `share` of the weight encoder `ae-pca`",
    "weights.explained_variance": "no longer a setting; remove it, and limit weights.components or weights.budget",
    "weights.sensitivity": GONE,
    "evaluation.bench.shared": GONE,
    "evaluation.bench.search.batch_size": GONE,
    "zoo.imported": "now zoo.import",
    "zoo.width": "now zoo.architecture.width",
    "zoo.momentum": "no longer a setting, remove it; SGD has a momentum of 0.9",
    "zoo.backbone.learning_rate": "no longer a setting, remove it; its peak is 0.1",
    "zoo.backbone.weight_decay": "no longer a setting, remove it; it is 0.001",
    "zoo.backbone.batch_size": "no longer a setting, remove it; it is 64",
    "sampling.flow.guidance": "no longer a setting, remove it; sampling.flow.temperature sets how much samples differ",
}
