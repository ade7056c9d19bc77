"""Class names and folders in any script, with spaces, quotes and brackets, from images to weights and samples."""

import json

import pytest
from PIL import Image

from wsl.datasets.class_means import ClassMeans
from wsl.datasets.clip import embed_classes
from wsl.datasets.settings import ClipModel
from wsl.files.plain import list_files, listed
from wsl.files.tensors import read_tensors, write_tensors
from wsl.images.classes import find_classes
from wsl.images.packing import pack_class
from wsl.images.reading import join_task, packed_by_class, summarise
from wsl.images.settings import Images
from wsl.images.tasks import TaskImages
from wsl.weights.coefficients import encode_part
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.zoo.index import open_zoo, write_index
from wsl.zoo.member import read_member

NAMES = ["köttbullar 食", 'l\'été "100 %"', "[bold]$HOME; *?|&<>\\ 🦘"]


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "mes photos (ål) [1]"
    for part, count in (("train", 12), ("val", 3)):
        for place, name in enumerate(NAMES):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                shade = (number * 20, 80 * place, len(part))
                Image.new("RGB", (20, 20), shade).save(root / part / name / f"bild {number} é.png")
    return root


def test_they_go_through_the_whole_chain(photos, train, tiny_clip):
    source = {"name": "imagefolder", "train": photos / "train", "test": photos / "val"}
    images = Images(source=source, size=16)
    names, faults = find_classes(images)
    assert sorted(names) == sorted(NAMES) and faults == []
    run = photos / "results" / "läuft"
    packed = {name: run / "images" / f"{name}.h5" for name in names}
    for name, path in packed.items():
        pack_class(path, name, images, 0)
    summarise([*packed.values()], run / "classes.csv")
    list_files([*packed.values()], run / "images" / "all.json")
    assert listed(run / "images" / "all.json") == [*packed.values()]
    assert packed_by_class(run / "images" / "all.json") == packed

    members = [train(run / "members" / f"{n:05d}.h5", names, member=n, seed=n, images=packed) for n in range(3)]
    assert read_member(members[0]).plan["classes"] == names
    write_index(members, run / "train.h5")
    with open_zoo(run / "train.h5") as zoo:
        assert set(zoo.snapshots["task"]) == {join_task(names)}
        layout = zoo.layout
    images, labels = TaskImages([*packed.values()]).of_task(join_task(names))
    assert [int(images[labels == label][0, 1, 0, 0]) for label in range(3)] == [
        80 * NAMES.index(name) for name in names
    ]

    means = [run / "means" / path.name for path in packed.values()]
    embed_classes([*packed.values()], means, [()] * 3, ClipModel(model=str(tiny_clip)))
    assert ClassMeans(means).embed([join_task(names)]).shape == (1, 24)
    fitted = [run / "pca" / f"{entry.name}.h5" for entry in layout.entries]
    limits = PcaSettings(variance_threshold=0.0, dimension_limit=4, components=2)
    fit_parameters(run / "train.h5", fitted, [entry.name for entry in layout.entries], limits)
    encode_part(run / "train.h5", fitted, run / "coefficients.h5", seed=0)
    write_tensors(run / "modèle.safetensors", {}, {"classes": names})
    assert read_tensors(run / "modèle.safetensors")[1] == json.loads(json.dumps({"classes": names}))
