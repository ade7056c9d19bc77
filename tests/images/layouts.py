"""Small datasets in the layouts that torchvision reads, written by hand."""

import bz2
import hashlib
import json
import pickle
import struct

import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from wsl.images.sources.torchvision import KINDS


def noise(seed, count, *shape):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def labels_of(count, classes):
    return [number % classes for number in range(count)]


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def cifar10(root, monkeypatch):
    """Batches of 30 and 20 images, and their checksums in torchvision's list."""
    folder, names = root / "cifar-10-batches-py", {"train_list": ["data_batch_1"], "test_list": ["test_batch"]}
    folder.mkdir(parents=True)
    for seed, (files, count) in enumerate(zip(names.values(), (60, 30), strict=True)):
        batch = {"data": noise(seed, count, 3072), "labels": labels_of(count, 10)}
        (folder / files[0]).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(KINDS["CIFAR10"].classes)}))
    for key, files in names.items():
        monkeypatch.setattr(datasets.CIFAR10, key, [[file, md5(folder / file)] for file in files])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": md5(folder / "batches.meta")}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)


def mnist(root, monkeypatch=None, name="MNIST", classes=10, first=0):
    """The four idx files."""
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for seed, (part, count) in enumerate({"train": 60, "t10k": 30}.items()):
        images, labels = noise(seed, count, 28, 28), first + np.array(labels_of(count, classes), dtype=np.uint8)
        content = struct.pack(">IIII", 2051, count, 28, 28) + images.tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(content)
        content = struct.pack(">II", 2049, count) + np.uint8(labels).tobytes()
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(content)


def emnist(root, monkeypatch):
    """The split `letters`, whose labels begin at 1."""
    mnist(root, name="EMNIST", classes=26, first=1)
    for file in list((root / "EMNIST" / "raw").iterdir()):
        part, rest = file.name.split("-", 1)
        file.rename(file.with_name(f"emnist-letters-{'test' if part == 't10k' else part}-{rest}"))


def eurosat(root, monkeypatch):
    """Folders of classes, and no test images."""
    for number, name in enumerate(KINDS["EuroSAT"].classes):
        (root / "eurosat" / "2750" / name).mkdir(parents=True)
        for place, image in enumerate(noise(number, 8, 16, 16, 3)):
            Image.fromarray(image).save(root / "eurosat" / "2750" / name / f"{name}_{place}.jpg")


def svhn(root, monkeypatch):
    """MATLAB files; the label 10 is the digit 0."""
    root.mkdir()
    splits = {}
    for seed, (split, count) in enumerate({"train": 60, "test": 30}.items()):
        images, labels = noise(seed, count, 32, 32, 3), [number or 10 for number in labels_of(count, 10)]
        savemat(root / f"{split}_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": np.array(labels)[:, None]})
        splits[split] = ["", f"{split}_32x32.mat", md5(root / f"{split}_32x32.mat")]
    monkeypatch.setattr(datasets.SVHN, "split_list", splits)


def flowers102(root, monkeypatch):
    """102 classes with 2 images to train on, 1 to validate and 1 to test on."""
    folder = root / "flowers-102"
    (folder / "jpg").mkdir(parents=True)
    labels = np.repeat(np.arange(1, 103), 4)
    for number, image in enumerate(noise(0, len(labels), 12, 12, 3), 1):
        Image.fromarray(image).save(folder / "jpg" / f"image_{number:05d}.jpg")
    numbers = np.arange(1, len(labels) + 1)
    parts = {"trnid": numbers[numbers % 4 < 2], "valid": numbers[numbers % 4 == 2], "tstid": numbers[numbers % 4 == 3]}
    savemat(folder / "imagelabels.mat", {"labels": labels})
    savemat(folder / "setid.mat", parts)
    files = {"label": "imagelabels.mat", "setid": "setid.mat"}
    checksums = {key: (name, md5(folder / name)) for key, name in files.items()}
    monkeypatch.setattr(datasets.Flowers102, "_file_dict", {"image": ("102flowers.tgz", ""), **checksums})


def gtsrb(root, monkeypatch):
    """Numbered folders, and a table of the test images."""
    folder = root / "gtsrb"
    for number in range(43):
        (folder / "GTSRB" / "Training" / f"{number:05d}").mkdir(parents=True)
        for place, image in enumerate(noise(number, 2, 10, 10, 3)):
            Image.fromarray(image).save(folder / "GTSRB" / "Training" / f"{number:05d}" / f"{place}.ppm")
    (folder / "GTSRB" / "Final_Test" / "Images").mkdir(parents=True)
    for number, image in enumerate(noise(99, 43, 10, 10, 3)):
        Image.fromarray(image).save(folder / "GTSRB" / "Final_Test" / "Images" / f"{number:05d}.ppm")
    rows = "".join(f"{number:05d}.ppm;{number}\n" for number in range(43))
    (folder / "GT-final_test.csv").write_text(f"Filename;ClassId\n{rows}")


def images_at(paths, seed=0):
    """Write images of noise."""
    paths = list(paths)
    for path, image in zip(paths, noise(seed, len(paths), 10, 10, 3), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def cifar100(root, monkeypatch):
    """One batch per part, with fine labels."""
    folder, lists = root / "cifar-100-python", {"train_list": "train", "test_list": "test"}
    folder.mkdir(parents=True)
    for seed, (key, file) in enumerate(lists.items()):
        batch = {"data": noise(seed, 200, 3072), "fine_labels": labels_of(200, 100), "coarse_labels": [0] * 200}
        (folder / file).write_bytes(pickle.dumps(batch))
        monkeypatch.setattr(datasets.CIFAR100, key, [[file, md5(folder / file)]])
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"kind_{number}" for number in range(100)]}))
    meta = {"filename": "meta", "key": "fine_label_names", "md5": md5(folder / "meta")}
    monkeypatch.setattr(datasets.CIFAR100, "meta", meta)


def qmnist(root, monkeypatch):
    """Labels are rows of eight numbers, the first of which is the digit."""
    folder = root / "QMNIST" / "raw"
    folder.mkdir(parents=True)
    for seed, (part, count) in enumerate({"train": 60, "test": 30}.items()):
        images, labels = noise(seed, count, 28, 28), np.zeros((count, 8), dtype=">i4")
        labels[:, 0] = labels_of(count, 10)
        (folder / f"qmnist-{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 0x0803, count, 28, 28) + images.tobytes()
        )
        (folder / f"qmnist-{part}-labels-idx2-int").write_bytes(
            struct.pack(">III", 0x0C02, count, 8) + labels.tobytes()
        )


def stl10(root, monkeypatch):
    """Binary files of column-major images; labels begin at 1."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for seed, (part, count) in enumerate({"train": 30, "test": 20}.items()):
        noise(seed, count, 3 * 96 * 96).tofile(folder / f"{part}_X.bin")
        (1 + np.array(labels_of(count, 10), dtype=np.uint8)).tofile(folder / f"{part}_y.bin")
        files = [[file.name, md5(file)] for file in (folder / f"{part}_X.bin", folder / f"{part}_y.bin")]
        monkeypatch.setattr(datasets.STL10, f"{part}_list", files)
    write_lines(folder / "class_names.txt", KINDS["STL10"].classes)


def usps(root, monkeypatch):
    """Compressed text: label and 256 values per line; labels begin at 1."""
    root.mkdir()
    for seed, (name, count) in enumerate({"usps.bz2": 40, "usps.t.bz2": 20}.items()):
        rows = noise(seed, count, 256) / 127.5 - 1
        text = "".join(
            f"{number % 10 + 1} " + " ".join(f"{place}:{value:.4f}" for place, value in enumerate(row, 1)) + "\n"
            for number, row in enumerate(rows)
        )
        (root / name).write_bytes(bz2.compress(text.encode(), 1))


def semeion(root, monkeypatch):
    """One table: 256 values and 10 columns for the digit; no test images."""
    root.mkdir()
    rows = [[*(values > 127).astype(int), *np.eye(10, dtype=int)[n % 10]] for n, values in enumerate(noise(0, 80, 256))]
    write_lines(root / "semeion.data", (" ".join(map(str, row)) for row in rows))
    monkeypatch.setattr(datasets.SEMEION, "md5_checksum", md5(root / "semeion.data"))


def food101(root, monkeypatch):
    """Lists of images by class, as JSON."""
    kinds = ["apple_pie", "baklava", "pho", "waffles"]
    for split, count in (("train", 6), ("test", 3)):
        names = {kind: [f"{kind}/{split}{number}" for number in range(count)] for kind in kinds}
        (root / "food-101" / "meta").mkdir(parents=True, exist_ok=True)
        (root / "food-101" / "meta" / f"{split}.json").write_text(json.dumps(names))
        images_at((root / "food-101" / "images" / f"{name}.jpg" for group in names.values() for name in group), count)


def dtd(root, monkeypatch):
    """Lists of images by split and partition."""
    for seed, split in enumerate(("train", "val", "test")):
        names = [
            f"{kind}/{kind}_{split}{number}.jpg"
            for kind in ("banded", "dotted", "lacelike", "woven")
            for number in range(4)
        ]
        write_lines(root / "dtd" / "dtd" / "labels" / f"{split}3.txt", names)
        images_at((root / "dtd" / "dtd" / "images" / name for name in names), seed)


def imagenette(root, monkeypatch):
    """Folders by WordNet id."""
    for seed, split in enumerate(("train", "val")):
        ids = list(datasets.Imagenette._WNID_TO_CLASS)
        images_at((root / "imagenette2-160" / split / name / f"{n}.jpeg" for name in ids for n in range(5)), seed)


def aircraft(root, monkeypatch):
    """Lists of images with the names of their families."""
    kinds = ["A300", "Boeing 707", "Cessna 172", "Spitfire"]
    data = root / "fgvc-aircraft-2013b" / "data"
    write_lines(data / "families.txt", kinds)
    for seed, split in enumerate(("train", "val", "test")):
        rows = {f"{split}{number:04d}": kinds[number % 4] for number in range(16)}
        write_lines(data / f"images_family_{split}.txt", (f"{name} {kind}" for name, kind in rows.items()))
        images_at((data / "images" / f"{name}.jpg" for name in rows), seed)


def pets(root, monkeypatch):
    """Lists of images whose names begin with the breed; labels begin at 1."""
    kinds, folder = ["Abyssinian", "Bengal", "beagle", "pug"], root / "oxford-iiit-pet"
    for seed, (split, count) in enumerate({"trainval": 24, "test": 12}.items()):
        rows = {
            f"{kinds[number % 4]}_{split}{number}".replace(split, str(seed)): number % 4 + 1 for number in range(count)
        }
        write_lines(folder / "annotations" / f"{split}.txt", (f"{name} {label} 1 1" for name, label in rows.items()))
        images_at((folder / "images" / f"{name}.jpg" for name in rows), seed)


def country211(root, monkeypatch):
    """Folders of countries in each part."""
    for seed, split in enumerate(("train", "valid", "test")):
        images_at(
            (root / "country211" / split / name / f"{n}.jpg" for name in ("AD", "BR", "CH", "DE") for n in range(4)),
            seed,
        )


def caltech101(root, monkeypatch):
    """Numbered images by category, and a folder of other images."""
    folder = root / "caltech101" / "101_ObjectCategories"
    names = ["BACKGROUND_Google", "Faces", "airplanes", "crab", "yin_yang"]
    images_at(folder / name / f"image_{number:04d}.jpg" for name in names for number in range(1, 9))
    (root / "caltech101" / "Annotations").mkdir()


def rendered_sst2(root, monkeypatch):
    """Folders of two classes in each part."""
    for seed, split in enumerate(("train", "valid", "test")):
        images_at(
            (root / "rendered-sst2" / split / name / f"{n}.png" for name in ("negative", "positive") for n in range(4)),
            seed,
        )


def pcam(root, monkeypatch):
    """HDF5 files of images and labels of each part."""
    (root / "pcam").mkdir(parents=True)
    for seed, files in enumerate(datasets.PCAM._FILES.values()):
        with h5py.File(root / "pcam" / files["images"][0], "w") as file:
            file["x"] = noise(seed, 8, 10, 10, 3)
        with h5py.File(root / "pcam" / files["targets"][0], "w") as file:
            file["y"] = np.array(labels_of(8, 2)).reshape(8, 1, 1, 1)


LAYOUTS = {
    "CIFAR10": cifar10,
    "CIFAR100": cifar100,
    "Caltech101": caltech101,
    "Country211": country211,
    "DTD/3": dtd,
    "EMNIST/letters": emnist,
    "EuroSAT": eurosat,
    "FGVCAircraft/family": aircraft,
    "Flowers102": flowers102,
    "Food101": food101,
    "GTSRB": gtsrb,
    "Imagenette/160px": imagenette,
    "MNIST": mnist,
    "OxfordIIITPet": pets,
    "PCAM": pcam,
    "QMNIST": qmnist,
    "RenderedSST2": rendered_sst2,
    "SEMEION": semeion,
    "STL10": stl10,
    "SVHN": svhn,
    "USPS": usps,
}
