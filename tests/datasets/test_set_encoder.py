"""The learned encoder of sets of images."""

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from wsl.datasets import set_encoder
from wsl.datasets.class_means import ClassMeans
from wsl.datasets.encoders.base import ClassFiles
from wsl.datasets.set_encoder import SetEncoder, embed_set, embed_subsets, fit_set_encoder, load_set_encoder
from wsl.datasets.settings import ClipModel
from wsl.errors import DataError
from wsl.training.recipe import Recipe

RECIPE = Recipe(learning_rate=1e-2, batch_size=2, epochs=12)
SMALL = {"HIDDEN": [16], "DROPOUT": 0.1, "TEMPERATURE": 0.2, "IMAGES": 8}
CLASSES = "0123"


def fitted(packed, class_means, tiny_clip, folder, recipe=RECIPE):
    files = ClassFiles([packed[name] for name in CLASSES], [class_means[name] for name in CLASSES])
    out, history = folder / "set.safetensors", folder / "set.csv"
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**SMALL, "RECIPE": recipe}.items():
            patched.setattr(set_encoder, name, value)
        fit_set_encoder(files, out, history, ClipModel(model=str(tiny_clip)))
    return out


def embed(clip, encoder, out):
    embed_set(ClassFiles(None, clip, encoder), out, ClipModel())


@pytest.fixture(scope="module")
def encoder(packed, class_means, tiny_clip, tmp_path_factory):
    return fitted(packed, class_means, tiny_clip, tmp_path_factory.mktemp("set"))


@torch.no_grad()
def set_of(encoder, features):
    """The embedding of a set: the mean of the outputs of its images, in double precision."""
    return load_set_encoder(encoder).double()(features.double()).mean(0)


def test_it_starts_as_the_mean_of_normalised_features():
    module, features = SetEncoder(8, [16], dropout=0.5), torch.randn(20, 8) + 3
    module.standardise_by(features)
    unit = features / features.norm(dim=1, keepdim=True)
    outputs = module.eval()(features).detach()
    assert torch.allclose(outputs, (unit - unit.mean(0)) / module.scale, atol=1e-5)
    assert outputs.mean(0).abs().max() < 1e-5 and outputs.square().mean() == pytest.approx(1, abs=1e-4)


def test_order_has_no_effect_and_every_subset_has_an_embedding(encoder, class_means, tmp_path):
    embed(class_means["4"], encoder, tmp_path / "4.h5")
    with h5py.File(class_means["4"]) as file:
        features = torch.from_numpy(file["features"][...])
    shuffled = features[torch.randperm(len(features))]
    assert torch.equal(set_of(encoder, features).float(), set_of(encoder, shuffled).float())
    for count in (1, 5, None):
        mean = ClassMeans([tmp_path / "4.h5"], count).means["4"]
        assert mean == pytest.approx(set_of(encoder, features[:count]).numpy(), abs=1e-5)


def test_subsets_of_a_class_are_disjoint_and_within_their_bounds():
    # With one-hot features an embedding shows which images are in the subset.
    classes = [torch.eye(12)[:count] for count in (2, 5, 12)]
    for seed in range(20):
        first, second = embed_subsets(torch.nn.Identity(), classes, 3, torch.Generator().manual_seed(seed))
        assert ((first > 0) & (second > 0)).sum() == 0
        for subset in (first, second):
            sizes = (subset > 0).sum(1)
            assert (sizes >= 1).all() and (sizes <= torch.tensor([1, 2, 3])).all()
            assert torch.allclose(subset.norm(dim=1), torch.ones(3))


def test_training_lowers_the_validation_loss(encoder):
    history = pd.read_csv(encoder.with_suffix(".csv"))
    assert len(history) == RECIPE.epochs
    assert history["validation_loss"].min() < history["validation_loss"].iloc[0]


def test_the_seed_decides(encoder, packed, class_means, tiny_clip, tmp_path):
    assert fitted(packed, class_means, tiny_clip, tmp_path).read_bytes() == encoder.read_bytes()


def test_test_images_have_no_effect(encoder, packed, class_means, tiny_clip, tmp_path):
    blind = {name: shutil.copy(path, tmp_path / f"{name}.h5") for name, path in packed.items()}
    for path in blind.values():
        with h5py.File(path, "a") as file:
            del file["test"]
    assert fitted(blind, class_means, tiny_clip, tmp_path).read_bytes() == encoder.read_bytes()


def test_validation_images_choose_the_epoch_and_do_not_train(packed, class_means, tiny_clip, tmp_path):
    other = {name: shutil.copy(path, tmp_path / f"{name}.h5") for name, path in packed.items()}
    for path in other.values():
        with h5py.File(path, "a") as file:
            file["validation"][...] = 255 - file["validation"][...]
    last = RECIPE.model_copy(update={"keep": "last"})
    (tmp_path / "first").mkdir()
    first = fitted(packed, class_means, tiny_clip, tmp_path / "first", last)
    second = fitted(other, class_means, tiny_clip, tmp_path, last)
    assert first.read_bytes() == second.read_bytes()
    tables = [pd.read_csv(path.with_suffix(".csv")) for path in (first, second)]
    assert tables[0]["train_loss"].equals(tables[1]["train_loss"])
    assert not tables[0]["validation_loss"].equals(tables[1]["validation_loss"])


def test_the_class_file_names_its_encoder_and_has_no_text(encoder, class_means, tmp_path):
    embed(class_means["4"], encoder, tmp_path / "4.h5")
    with h5py.File(tmp_path / "4.h5") as file, h5py.File(class_means["4"]) as clip:
        assert dict(file.attrs) == {**clip.attrs, "encoder": "set"}
        assert set(file) == {"mean", "features"} and file["features"].shape == clip["features"].shape
        assert np.array_equal(file["mean"][...], file["features"][...].astype(float).mean(0).astype(np.float32))


def test_a_class_with_one_validation_image_is_refused(packed, class_means, tiny_clip, tmp_path):
    few = {**packed, "1": shutil.copy(packed["1"], tmp_path / "1.h5")}
    with h5py.File(few["1"], "a") as file:
        image = file["validation"][:1]
        del file["validation"]
        file["validation"] = image
    with pytest.raises(DataError, match=r"1\.h5: one image .* images\.validation_share"):
        fitted(few, class_means, tiny_clip, tmp_path)
