"""The image source `several`: the classes of several sources together."""

import re
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, ValidationError
from pydantic_core import InitErrorDetails

from wsl.errors import Faults
from wsl.images.classes import choose
from wsl.images.sources.base import SOURCES, ImageSource
from wsl.settings.sections import Section, one_of

BETWEEN = "."  # of a source's label and the name of a class: names of classes are names of files
DERIVED = "derived"  # the source that an entry with a key `source` selects
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


class _One(Section):
    source: one_of(SOURCES, "digits")


def default_label(source: ImageSource) -> str:
    """Return the label of a source that has none: its dataset's name, else its own, in small letters."""
    if source.name == DERIVED:
        return "-".join([default_label(source.source), *re.findall(r"[a-z]+", " ".join(source.transform))])[:40]
    text = str(getattr(source, source.short)) if source.short else source.name
    words = re.findall(r"[A-Za-z0-9-]+", text.rpartition("/")[2] if source.name == "hf" else text)
    return "-".join(words).lower()[:40].strip("-") or source.name


def labelled(value: Any) -> dict[str, ImageSource]:
    """Return sources by label, from a list of sources or a mapping of labels to sources.

    Raises:
        ValueError: there are fewer than two, labels are unusable or repeated, or a source is wrong.
    """
    if not isinstance(value, list | dict) or len(value) < 2:
        raise ValueError("give a list of two or more sources, or a mapping of labels to sources")
    items, faults = list(value.items() if isinstance(value, dict) else enumerate(value)), []
    sources: dict[str, ImageSource] = {}
    for key, item in items:
        if isinstance(item, dict) and "source" in item:
            item = {"name": DERIVED, **item}
        try:
            source = _One(source=item).source
        except ValidationError as error:  # so that messages name the place
            for fault in error.errors(include_url=False):
                context = {key: part for key, part in fault.items() if key in ("type", "input", "ctx")}
                faults.append(InitErrorDetails(loc=(key, *fault["loc"][1:]), **context))
            continue
        label = key if isinstance(key, str) else default_label(source)
        if not LABEL.fullmatch(label):
            raise ValueError(f"the label {label!r} has other characters than letters, digits, - and _; rename it")
        if label.lower() in map(str.lower, sources):
            raise ValueError(
                f"two sources have the label {label!r}; give a mapping of labels to sources: {{one: ..., other: ...}}"
            )
        if source.empty or source.name == Several.name:
            raise ValueError(f"{label}: the source {source.name} cannot be one of several; leave it out")
        sources[label] = source
    if faults:
        raise ValidationError.from_exception_data("several", faults)
    return sources


def _plain(sources: dict[str, ImageSource]) -> dict[str, Any]:
    return {label: source.described() for label, source in sources.items()}


Labelled = Annotated[list[str] | dict[str, str], PlainValidator(labelled), PlainSerializer(_plain)]


@SOURCES.register("several")
class Several(ImageSource):
    """Several sources: the same as `images.sources`. A class is named by its source and itself, as `cifar10.cat`."""

    title = "the sources"
    of: Labelled = Field(description="a list of sources, or a mapping of labels to sources")

    def names(self):
        return [f"{label}{BETWEEN}{name}" for label, source in self.of.items() for name in source.names()]

    def images(self, name, packing, seed):
        source, own = self.owner(name)
        return source.images(own, packing, seed)

    def change(self, name, images, seed):
        label = self.group(name)
        return self.of[label].change(name.removeprefix(f"{label}{BETWEEN}"), images, seed)

    def at_most(self, name):
        label = self.group(name)
        return self.of[label].at_most(name.removeprefix(f"{label}{BETWEEN}"))

    def original(self, name):
        """See ``ImageSource.original``: the class of the source that this one is derived from, or of its first copy."""
        label = self.group(name)
        if (root := self.of[label].base) is self.of[label]:
            return name
        same = [other for other, source in self.of.items() if source.base == root]
        first = min(same, key=lambda other: self.of[other] != root)  # the original itself, if it is among the sources
        return f"{first}{BETWEEN}{name.removeprefix(f'{label}{BETWEEN}')}"

    def find(self, wanted, minimum):
        """See ``ImageSource.find``; a list is divided among the sources."""
        if not isinstance(wanted, list):
            found = {label: source.find(None, minimum) for label, source in self.of.items()}
            faults = [fault for _, lines in found.values() for fault in lines]
            names = [f"{label}{BETWEEN}{name}" for label, (chosen, _) in found.items() for name in chosen]
            return ([], faults) if faults else choose(wanted, names, f"in {self.title}")
        names, faults = choose(wanted, [name for name in wanted if self.group(name)], f"in {self.title}")
        for label, source in self.of.items():
            own = [self.owner(name)[1] for name in names if self.group(name) == label]
            if own:
                faults += source.find(own, minimum)[1]
        return names, faults

    def owner(self, name):
        label = self.group(name)
        return self.of[label].owner(name.removeprefix(f"{label}{BETWEEN}"))

    def group(self, name):
        label, dot, _ = name.partition(BETWEEN)
        return label if dot and label in self.of else ""

    def check(self, names=()):
        faults = Faults()
        for label, source in self.of.items():
            with faults.noted():
                source.check([self.owner(name)[1] for name in names if self.group(name) == label])
        faults.refuse()

    def fetched(self):
        return [one for source in self.of.values() for one in source.fetched()]

    def missing(self):
        return [folder for source in self.of.values() for folder in source.missing()]

    def fingerprint(self, name):
        source, own = self.owner(name)
        return source.fingerprint(own)

    def count(self, names):
        own = {label: [self.owner(name)[1] for name in names if self.group(name) == label] for label in self.of}
        return sum(source.count(own[label]) for label, source in self.of.items() if own[label])
