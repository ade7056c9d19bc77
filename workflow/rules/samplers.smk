# Which files and settings the encoders, samplers and baselines take: functions that several rule files share.
SAMPLING = RUN.config.sampling
LEARNT = ("projection", "regression", "flow", "generator")


def codes_of(part, space):
    return f"{OUT}/weights/{'latents' if space == 'latent' else 'coefficients'}/{part}.h5"


def bank_file(space):
    return {"train_latents" if space == "latent" else "train_coefficients": codes_of("train", space)}


def fits(*methods):
    """Every method with every draw of it: as many as configured where it learns anything at random, else one."""
    return [(method, draw) for method in methods for draw in range(SAMPLING.draws if method in LEARNT else 1)]


def sampler_files(draw, samplers=tuple(SAMPLING.samplers)):
    """The inputs, by the names that wsl.sampling.registry.load_sampler gives them, of one draw of some samplers."""
    shared = f"{OUT}/shared/encoder-{draw}.safetensors" if draw else rules.train_shared.output.out
    regression = {"regression": f"{OUT}/sampling/regression-{draw}.safetensors"}
    own = {
        "projection": {"shared": shared},
        "regression": regression,
        "memory-bank": bank_file(SAMPLING.memory_bank.space),
        "retrieval": bank_file(SAMPLING.retrieval.space),
        "flow": {**regression, "flow": f"{OUT}/sampling/flow-{draw}.safetensors"},
    }
    files = {"class_means": CLASS_MEANS, "bins": rules.outcome_bins.output.out}
    for sampler in samplers:
        files |= own.get(sampler, {})  # a sampler of whole weights has files of its own
    return files


def method_files(method, draw):
    """The files that one sampler or baseline needs beside what all do, as wsl.evaluation.protocol.judge names them."""
    files = {}
    if method in ("start", "prototypes", "probe"):
        files |= START_FILE
    if method in ("generator", "body-prototypes", "body-probe"):
        files["generator"] = f"{OUT}/sampling/generator-{draw}.safetensors"
    elif method not in COMPARED:
        own = sampler_files(draw, (method,))
        files |= {key: path for key, path in own.items() if key not in MODEL_INPUTS}
    if method == "reconstructed" or method not in (*COMPARED, "generator"):
        files |= {key: CODEC[key] for key in ("fitted", "autoencoder")}
    return files


def model_settings(sampler):
    """How any model is made, by the names that wsl.sampling.makers.Makers gives them."""
    return {
        "known": KNOWN,
        "outcome": SAMPLING.outcome,
        "recalibrate": SAMPLING.recalibration.enabled,
        "strength": SAMPLING.recalibration.strength,
        "settings": SAMPLER_SETTINGS.get(sampler, {}),
    }


def own_files(wildcards):
    return method_files(wildcards.sampler, int(wildcards.draw))


def making(wildcards, **more):
    """How models are made, and what else a rule sets; control asks for outcomes of its own."""
    shared = {key: value for key, value in model_settings(wildcards.sampler).items() if key != "outcome"}
    return settings(**shared, sampler=wildcards.sampler, draw=int(wildcards.draw), **more)


def of_all(path):
    """A file of every sampler and draw; ``path`` has both as wildcards."""
    return [path.format(sampler=sampler, draw=draw) for sampler, draw in fits(*SAMPLING.samplers)]
