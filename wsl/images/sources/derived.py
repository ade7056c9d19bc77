"""The image source `derived`: some classes or images of another source, or changed copies of its images."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from wsl.images import transforms
from wsl.images.sources.base import SOURCES, ImageSource
from wsl.settings.sections import PositiveInt, Whole, one_of

Transform = Annotated[str, AfterValidator(transforms.check)]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@SOURCES.register("derived")
class Derived(ImageSource):
    """Another source with changed images, or with some of its classes or images. In `images.sources` the name can be
    left out.

    Images are changed when they are packed, after scaling. The parts of the original stay: the copy of a test image is
    a test image.
    """

    title = "the derived source"
    source: one_of(SOURCES, "digits") = Field(description="the original source")
    transform: Annotated[Transform | list[Transform], AfterValidator(_listed)] = Field(
        [],
        description="changes of images, one or a list: `invert`, `rotate` (by 90 degrees, anticlockwise), `recolour` "
        "(two random colours of the run's seed in place of black and white) or `recolour:<black>-<white>`",
    )
    classes: list[str] | PositiveInt | None = Field(
        None, description="classes of the source: names, or a number: the first classes; empty: all"
    )
    most: Annotated[Whole, Field(ge=2)] | None = Field(
        None,
        description="largest number of images per class to train and validate on, drawn at random; empty: all. Test "
        "images stay, and copies of a source with an equal number have the same images",
    )

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if not self.transform and self.classes is None and self.most is None:
            raise ValueError(
                "a derived source needs `transform`, `classes` or `most`; give one, or name the source alone"
            )
        if self.source.empty or self.source.name in (self.name, "several"):
            raise ValueError(f"source: {self.source.name} cannot be changed; name a source of images")
        return self

    @property
    def base(self):
        return self.source

    def names(self):
        known = self.source.names()
        return known[: self.classes] if isinstance(self.classes, int) else self.classes or known

    def images(self, name, packing, seed):
        return self.source.images(name, packing, seed)

    def change(self, name, images, seed):
        return transforms.apply(self.transform, images, seed)

    def at_most(self, name):
        return self.most

    def find(self, wanted, minimum):
        """See ``ImageSource.find``; other classes of the original are unknown here."""
        if self.most is not None and self.most < minimum:
            return [], [f"images.minimum: {minimum} is more than `most` of a derived source, {self.most}; change one"]
        if wanted is None:
            return self.source.find(self.classes, minimum)
        names, faults = self.source.find(wanted if isinstance(wanted, list) else self.names()[:wanted], minimum)
        if isinstance(self.classes, list):
            own = set(self.source.find(self.classes, minimum)[0])
            faults += [
                f"images.classes: {name!r} is not in `classes` of the derived source; add it there, or remove it here"
                for name in names
                if name not in own
            ]
        return names, faults

    def check(self, names=()):
        self.source.check(names)

    def missing(self):
        return self.source.missing()

    def fetched(self):
        return self.source.fetched()

    def owner(self, name):
        return self.source.owner(name)

    def fingerprint(self, name):
        return self.source.fingerprint(name)

    def count(self, names):
        return self.source.count(names)
