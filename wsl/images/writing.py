"""Write images of Python objects as folders, so that they can be the data of a zoo."""

from collections.abc import Sequence
from pathlib import Path

from wsl.errors import DataError
from wsl.files.atomic import new_folder
from wsl.images.classes import name_fault
from wsl.images.objects import ImagesLike, InMemory, images_of, picture


def write_images(images: ImagesLike, folder: str | Path, classes: Sequence[str] | None = None) -> dict[str, int]:
    """Write images as a folder of class folders, so that they can be the data of a zoo.

    Call it once for training and once for test images, and name both folders in the config:
    ``images: {source: {name: imagefolder, train: letters/train, test: letters/test}}``.

    Args:
        images: dict of images by class, or a dataset of (image, label) pairs; see ``images_of``.
        folder: folder to make; it must not exist. It appears only when it is complete. Files are PNG, in the images'
            own sizes.
        classes: names of the classes to write; None: all.

    Returns:
        The number of images of each class.

    Raises:
        DataError: the folder exists, an image cannot be used, or a class is missing, empty or cannot name a folder.
    """
    given = images_of(images)
    if not isinstance(given, InMemory):
        raise DataError(f"{given.place} holds class folders already; name it in images.source as it is")
    counts = {}
    with new_folder(folder) as new:
        for name in given.names if classes is None else classes:
            if name not in given.names:
                raise DataError(
                    f"there is no class {name!r} in {given.place}; its classes are {', '.join(given.names)}"
                )
            if fault := name_fault(name):
                raise DataError(f"the class {name!r} of {given.place} {fault}; rename it")
            if (new / name).exists():  # on disks that ignore case
                raise DataError(f"two classes of {given.place} have the name {name!r}; rename one")
            (new / name).mkdir()
            number = 0
            for number, (origin, image) in enumerate(given.images(name), start=1):
                picture(image, origin).save(new / name / f"{number - 1:05d}.png")
            if not number:
                raise DataError(f"the class {name!r} of {given.place} has no image; leave it out by `classes`")
            counts[name] = number
    return counts
