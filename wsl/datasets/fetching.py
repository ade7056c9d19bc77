"""Fetch a pretrained CLIP model from the network, once, into files that jobs read."""

import logging
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import open_clip
from open_clip.pretrained import download_pretrained_from_hf
from open_clip.transform import PreprocessCfg

from wsl.datasets.clip import Clip, add_model
from wsl.errors import ConfigError
from wsl.files.atomic import written_whole
from wsl.files.plain import file_digest, read_json, write_json

log = logging.getLogger(__name__)
HUB = "hf-hub:"
CONFIG = "open_clip_config.json"


def fetch_clip(model: str, weights: str | None, texts: bool, folder: str | Path, out: str | Path) -> None:
    """Fetch the files of a pretrained model for ``wsl.datasets.clip.Clip``, and load it once to check them.

    Files of a repository of the hub that are in the caches of open_clip are not fetched again.

    Args:
        model: name of an open_clip model, the path of its JSON config, or ``hf-hub:<repository>``.
        weights: a pretrained tag of that model; None: those of the repository.
        texts: whether to fetch the tokenizer, if open_clip does not include it.
        folder: receives ``open_clip_config.json`` and the files of the tokenizer.
        out: the file of weights, byte for byte as published.

    Raises:
        ConfigError: there is no network or no such model, or open_clip cannot load the files; the message names a way
            that needs no network.
    """
    with tempfile.TemporaryDirectory() as cache:
        name, config, source = _from_hub(model) if model.startswith(HUB) else _by_tag(model, weights, cache)
        with written_whole(out) as temporary:
            shutil.copyfile(source, temporary)  # a link would keep the old modification time
    if texts and config["model_cfg"]["text_cfg"].get("hf_tokenizer_name"):
        try:
            open_clip.get_tokenizer(name).save_pretrained(str(folder))
        except Exception as error:  # of the package transformers, its caches or the network
            raise ConfigError(
                f"datasets.prompts: the tokenizer of {model} cannot be fetched ({error}); it needs a network and the "
                "package transformers (pip install transformers); leave prompts out, or choose another model"
            ) from error
    write_json(Path(folder, CONFIG), config)
    Clip(str(Path(folder, CONFIG)), str(out), seed=0)
    log.info("fetched %s of %s; datasets.sha256: %s", weights or "weights", model, file_digest(out))


def _from_hub(model: str) -> tuple[str, dict[str, Any], str]:
    """Return the name, config and file of weights of a repository."""
    repository = model.removeprefix(HUB)
    try:
        config = read_json(download_pretrained_from_hf(repository, filename=CONFIG))
        source = download_pretrained_from_hf(repository)
    except Exception as error:  # of the network, the hub, its cache
        raise ConfigError(f"datasets.model: {model} cannot be fetched ({error}); {_remedy(repository)}") from error
    if "model_cfg" not in config:
        raise ConfigError(f"datasets.model: {model} is not a model of open_clip: its {CONFIG} has no model_cfg")
    return model, config, source


def _by_tag(model: str, tag: str, cache: str) -> tuple[str, dict[str, Any], str]:
    """Return the name, config and file of weights that open_clip knows by a tag."""
    name = add_model(model)[0].replace("/", "-")
    published, config = open_clip.get_pretrained_cfg(name, tag), open_clip.get_model_config(name)
    if not published or config is None:
        known = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise ConfigError(
            f"datasets.weights: open_clip has no weights {tag!r} of the model {model!r}; it has {known}; choose one "
            "of them, or name a file"
        )
    repository = published.get("hf_hub", "")
    try:
        # By URL, open_clip leaves a broken download in its cache and would use it the next time.
        source = open_clip.download_pretrained(published, cache_dir=None if repository else cache)
    except Exception as error:  # of the network, the hub, its cache
        remedy = f"fetch {published.get('url')} where there is a network, and set datasets.weights to the file"
        remedy = _remedy(repository.rpartition("/")[0]) if repository else remedy
        raise ConfigError(f"datasets.weights: {tag} of {model} cannot be fetched ({error}); {remedy}") from error
    keys = asdict(PreprocessCfg())
    preprocessing = {key: value for key, value in published.items() if key in keys}
    return name, {"model_cfg": config, "preprocess_cfg": preprocessing}, source


def _remedy(repository: str) -> str:
    return (
        f"where there is a network, `hf download {repository} --local-dir <folder>`; then set datasets.model: "
        "local-dir:<folder> and leave datasets.weights out"
    )
