"""CLIP models fetched from a web site on loopback give the features of open_clip by tag or repository."""

import json
import sys
import time
from pathlib import Path
from types import ModuleType

import open_clip
import pytest
import torch
from open_clip import pretrained
from safetensors.torch import save_file

from wsl.datasets.clip import Clip
from wsl.datasets.fetching import fetch_clip
from wsl.errors import ConfigError

TAG = "of_tests"
PREPROCESSING = {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)}  # not the values of CLIP, to test that they are used
PHOTOS = torch.arange(2 * 3 * 16 * 16).reshape(2, 3, 16, 16).remainder(251).to(torch.uint8)


@pytest.fixture
def weights(reader, tmp_path):
    """The state dict of a model with a text tower."""
    return dict(Clip(str(reader), None, seed=5).model.state_dict())


@pytest.fixture
def tag(reader, site, weights, monkeypatch):
    """Publishes weights under a tag, by ``url`` or in a repository of the hub; returns the path of their file."""

    def publish(source: str) -> Path:
        if source == "url":
            path, entry = site.root / "tiny.pt", {"url": f"{site.url}/tiny.pt"}
            torch.save(weights, path)
        else:
            path, entry = site.root / "me" / "tiny" / "open_clip_model.safetensors", {"hf_hub": "me/tiny/"}
            path.parent.mkdir(parents=True)
            save_file(weights, path)
        monkeypatch.setitem(pretrained._PRETRAINED, reader.stem, {TAG: pretrained._pcfg(**entry, **PREPROCESSING)})
        return path

    return publish


@pytest.fixture
def repository(reader, site, weights):
    """A repository of the hub with a complete model of open_clip; returns its folder."""
    folder = site.root / "me" / "whole"
    folder.mkdir(parents=True)
    config = {"model_cfg": json.loads(reader.read_text()), "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.save(weights, folder / "open_clip_pytorch_model.bin")
    return folder


def fetched(tmp_path, model, weights, texts=False, seed=0):
    """The fetched model, as jobs load it."""
    fetch_clip(str(model), weights, texts, tmp_path / "clip", tmp_path / "clip.weights")
    return Clip(str(tmp_path / "clip" / "open_clip_config.json"), str(tmp_path / "clip.weights"), seed)


def open_clips(name, **settings):
    """Features of a model by open_clip, with its own preprocessing."""
    model = open_clip.create_model(name, **settings).eval()
    mean, std = (torch.tensor(open_clip.get_model_preprocess_cfg(model)[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        return model.encode_image((PHOTOS / 255 - mean) / std)


@pytest.mark.parametrize("source", ["url", "hub"])
def test_features_of_fetched_files_equal_those_by_tag(reader, site, tag, tmp_path, source):
    published = tag(source)
    encoder = fetched(tmp_path, reader, TAG)
    assert (tmp_path / "clip.weights").read_bytes() == published.read_bytes()
    assert site.sent[str(published.relative_to(site.root))] == 1
    cache = str(tmp_path / "cache")
    assert torch.equal(encoder.features(PHOTOS), open_clips(reader.stem, pretrained=TAG, cache_dir=cache))
    assert not torch.equal(encoder.features(PHOTOS), open_clips(reader.stem, pretrained=str(published)))  # other means


def test_a_repository_is_fetched_completely_and_then_needs_no_network(repository, site, tmp_path):
    encoder = fetched(tmp_path, "hf-hub:me/whole", None, texts=True)
    expected = open_clips("hf-hub:me/whole")
    sent = site.sent.copy()
    again = Clip(str(tmp_path / "clip" / "open_clip_config.json"), str(tmp_path / "clip.weights"), seed=1)
    assert torch.equal(encoder.features(PHOTOS), expected) and torch.equal(again.features(PHOTOS), expected)
    assert again.text_features(["a koala."]).shape == (1, 8) and site.sent == sent


def test_a_folder_of_a_repository_is_a_model(repository, tmp_path):
    encoder = Clip(str(repository / "open_clip_config.json"), None, seed=0)
    assert torch.equal(encoder.features(PHOTOS), open_clips(f"local-dir:{repository}"))
    (repository / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(ConfigError, match=r"cannot load model .*open_clip_config\.json"):
        Clip(str(repository / "open_clip_config.json"), None, seed=0)


def test_a_tokenizer_is_fetched_for_texts_and_read_from_its_folder(repository, tmp_path, monkeypatch):
    """The package transformers is not a dependency; this substitute reads and writes one file."""
    sources = []

    class AutoTokenizer:
        def __init__(self, vocabulary):
            self.vocabulary = vocabulary

        @classmethod
        def from_pretrained(cls, source, **_):
            sources.append(str(source))
            path = Path(source, "vocabulary.json")
            return cls(json.loads(path.read_text()) if path.is_file() else {"a": 7, "koala.": 9})

        def save_pretrained(self, folder):
            Path(folder).mkdir(parents=True, exist_ok=True)
            Path(folder, "vocabulary.json").write_text(json.dumps(self.vocabulary))

        def batch_encode_plus(self, texts, max_length, **_):
            rows = [[self.vocabulary[word] for word in text.split()] for text in texts]
            ids = torch.tensor([row + [0] * (max_length - len(row)) for row in rows])
            return type("Encoded", (), {"input_ids": ids})

        __call__ = batch_encode_plus

    transformers = ModuleType("transformers")
    transformers.AutoTokenizer = AutoTokenizer
    monkeypatch.setitem(sys.modules, "transformers", transformers)
    path = repository / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "someone/words"
    path.write_text(json.dumps(config))
    fetched(tmp_path, "hf-hub:me/whole", None, texts=False)
    assert sources == []
    encoder = fetched(tmp_path, "hf-hub:me/whole", None, texts=True)
    assert sources == ["someone/words"]
    features = encoder.text_features(["a koala."])
    assert sources == ["someone/words", str(tmp_path / "clip")]
    with torch.no_grad():
        expected = encoder.model.encode_text(torch.tensor([[7, 9, 0, 0, 0, 0, 0, 0]]))
    assert torch.allclose(features, expected / expected.norm())
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"datasets\.prompts: the tokenizer .*pip install transformers"):
        fetched(tmp_path, "hf-hub:me/whole", None, texts=True)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "url",
            r"datasets\.weights: of_tests of .* cannot be fetched .*fetch http\S+tiny\.pt where there is a network",
        ),
        ("hub", r"datasets\.weights: of_tests .*hf download me/tiny --local-dir <folder>.*datasets\.model: local-dir:"),
        ("repository", r"datasets\.model: hf-hub:me/whole cannot .*hf download me/whole --local-dir <folder>"),
    ],
)
def test_without_a_network_the_message_names_a_remedy(reader, site, tag, tmp_path, monkeypatch, source, message):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the hub's five attempts
    if source != "repository":
        tag(source)
    site.__exit__()
    with pytest.raises(ConfigError, match=message):
        fetched(tmp_path, *((reader, TAG) if source != "repository" else ("hf-hub:me/whole", None)))
    assert not (tmp_path / "clip").exists() and not (tmp_path / "clip.weights").exists()


@pytest.mark.parametrize(
    ("content", "message"), [("half of it", "cannot load"), ("a page", "cannot load"), ("a program", "TorchScript")]
)
def test_a_file_that_is_not_a_complete_state_dict_is_refused_after_the_download(
    reader, tag, tmp_path, content, message
):
    published = tag("url")
    if content == "a program":  # as OpenAI published CLIP
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), published)
    else:
        whole = published.read_bytes()
        published.write_bytes(whole[: len(whole) // 2] if content == "half of it" else b"<html>not here</html>")
    with pytest.raises(ConfigError, match=message):
        fetched(tmp_path, reader, TAG)


def test_a_broken_download_is_not_used_the_next_time(reader, tag, tmp_path):
    published = tag("url")
    whole = published.read_bytes()
    published.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError):
        fetched(tmp_path, reader, TAG)
    published.write_bytes(whole)
    fetched(tmp_path, reader, TAG)
    assert (tmp_path / "clip.weights").read_bytes() == whole


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        ("RN50", "no-such-tag", r"no weights 'no-such-tag' of the model 'RN50'; it has openai, yfcc15m, cc12m"),
        ("no-such-model", "openai", r"of the model 'no-such-model'; it has none"),
    ],
)
def test_unknown_names_are_refused(tmp_path, model, weights, message):
    with pytest.raises(ConfigError, match=message):
        fetch_clip(model, weights, False, tmp_path / "clip", tmp_path / "clip.weights")


def test_the_tag_of_the_model_of_the_thesis_names_a_state_dict_on_the_hub():
    """Fetching needs this; the file itself is not fetched here."""
    published = open_clip.get_pretrained_cfg("ViT-B-32-quickgelu", "openai")
    assert published["hf_hub"] == "timm/vit_base_patch32_clip_224.openai/"
