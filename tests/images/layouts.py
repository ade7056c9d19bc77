"""Small datasets in the layouts that torchvision reads, written by hand."""

import hashlib
import pickle
import struct

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


LAYOUTS = {
    "CIFAR10": cifar10,
    "EMNIST/letters": emnist,
    "EuroSAT": eurosat,
    "Flowers102": flowers102,
    "GTSRB": gtsrb,
    "MNIST": mnist,
    "SVHN": svhn,
}
