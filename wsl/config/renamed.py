"""Keys of earlier versions of the config: what became of each."""

FLOW = "the flow starts from the prediction of `regression` since then"

# By the key as it was; a key that comes back must go from here.
RENAMED = {
    "sampling.flow.image_counts": f"now sampling.regression.image_counts: {FLOW}",
    "sampling.flow.space": f"now sampling.regression.space: {FLOW}",
    "sampling.flow.normalise": f"now sampling.regression.normalise: {FLOW}",
    "sampling.flow.condition_dropout": f"no more, remove it: {FLOW}, which no condition is hidden from",
    "shared.temperature": "now shared.losses.nt_xent.temperature",
    "shared.symmetric": "now shared.losses.nt_xent.symmetric",
    "sampling.regression.temperature": "now sampling.regression.losses.nt_xent.temperature",
    "sampling.regression.symmetric": "now sampling.regression.losses.nt_xent.symmetric",
    "zoo.width": "now zoo.architecture.width",
    "zoo.momentum": "no longer a setting, remove it; SGD has a momentum of 0.9",
    "zoo.backbone.learning_rate": "no longer a setting, remove it; its peak is 0.1",
    "zoo.backbone.weight_decay": "no longer a setting, remove it; it is 0.001",
    "zoo.backbone.batch_size": "no longer a setting, remove it; it is 64",
    "sampling.flow.guidance": "no more, remove it; how much samples differ is sampling.flow.temperature",
}
