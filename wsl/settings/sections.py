"""Building blocks of the config's sections: base classes, types of values, and settings of registered entries."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationError,
    create_model,
    model_validator,
)

from wsl.errors import ConfigError
from wsl.settings.distributions import Distribution, check_numbers
from wsl.settings.registry import Registry


def _not_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("integer required")
    return value


RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
# Numbers may arrive as text: Snakemake's --config does not convert those inside {...}.
Whole = Annotated[int, BeforeValidator(_not_boolean)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$", to_lower=True)]
Share = Annotated[float, Field(gt=0, lt=1)]
PositiveInt = Annotated[Whole, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Counts = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=1, whole=True))]
BatchSizes = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=2, whole=True))]
Rates = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=0, whole=False, low_allowed=False))]
Decays = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=0, whole=False))]


class Section(BaseModel):
    """A section of the config: unknown keys are refused, and values cannot be changed."""

    # By alias, since `import` and `from` are keys but cannot be attributes.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True, serialize_by_alias=True
    )


def fields_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the keys of a section with their annotations."""
    fields = {field.alias or key: field.annotation for key, field in model.model_fields.items()}
    return fields | model.subsections() if issubclass(model, Sections) else fields


class Named(Section):
    """Base class of registered entries that are their own settings.

    Attributes:
        name: the entry's name in the config; ``Registry.register`` sets it.
        short: the setting that a text after a colon gives (``timm:resnet10t``); None: the name takes no such text.
    """

    name: ClassVar[str]
    short: ClassVar[str | None] = None

    def described(self) -> dict[str, Any]:
        """Return the name and the settings as plain values, which ``one_of`` reads."""
        return {"name": self.name, **self.model_dump(mode="json")}


class OneOf:
    """Marks a field whose value is one registered entry, for the config reference and for messages."""

    def __init__(self, registry: Registry, default: str, several: bool = False):
        self.registry, self.default, self.several = registry, default, several

    def entry(self, value: Any) -> type[Named] | None:
        """Return the entry that a value in YAML selects; None: its name is unknown."""
        name = value.get("name", self.default) if isinstance(value, dict) else value
        try:
            return self.registry[str(name).partition(":")[0]]
        except ConfigError:
            return None


def selection(model: type[BaseModel], key: str) -> OneOf | None:
    """Return the mark of a field whose value is one registered entry; None for other fields."""
    field = model.model_fields.get(key)
    return next((mark for mark in field.metadata if isinstance(mark, OneOf)), None) if field else None


def one_of(registry: Registry, default: str, several: bool = False) -> Any:
    """Return the type of a field that selects one entry of a registry and holds its settings.

    In YAML the value is a name (``resnet18``) or a mapping of the name and settings (``{name: resnet18, width: 16}``);
    a mapping without ``name`` selects the default entry. ``name:text`` sets the setting that the entry calls
    ``Named.short``.

    Args:
        registry: registry of classes derived from ``Named``.
        default: name of the default entry.
        several: whether the value may also be a list of two or more different entries.
    """

    def validate(value: Any) -> Any:
        if isinstance(value, Named):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            raise ValueError(f"give the name of one {registry.kind}, or a mapping with `name` and its settings")
        settings = {key: setting for key, setting in value.items() if key != "name"}
        name, colon, text = str(value.get("name", default)).partition(":")
        try:
            entry = registry[name]
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if colon:
            if entry.short is None:
                raise ValueError(
                    f"the {registry.kind} {name} takes no text after a colon; write {name}, or a mapping of `name` "
                    "and settings"
                )
            if entry.short in settings:
                raise ValueError(f"{name}:{text} sets {entry.short} already; remove one of them")
            settings[entry.short] = text
        elif entry.short not in {None, *settings} and entry.model_fields[entry.short].is_required():
            raise ValueError(f"{name} needs a {entry.short}; write {name}:<{entry.short}>")
        return entry.model_validate(settings)

    def validate_at(place: int, value: Any) -> Any:
        try:
            return validate(value)
        except ValidationError as error:  # so that messages name the place in the list
            faults = [{**fault, "loc": (place, *fault["loc"])} for fault in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(error.title, faults) from None

    def validate_all(value: Any) -> Any:
        if not (several and isinstance(value, list)):
            return validate(value)
        entries = [validate_at(place, item) for place, item in enumerate(value)]
        if len(entries) < 2 or any(entry in entries[:place] for place, entry in enumerate(entries)):
            raise ValueError(f"a list needs two or more different entries; give several, or one {registry.kind}")
        return entries

    def described(value: Any) -> Any:
        return list(map(described, value)) if isinstance(value, list) else value.described()

    return Annotated[Any, PlainValidator(validate_all), PlainSerializer(described), OneOf(registry, default, several)]


class Sections(Section):
    """A section with one subsection per entry of a registry; its key is the entry's name with ``_`` for ``-``.

    Entries have an attribute ``Settings``, a ``Section`` class. An entry's settings are an attribute of this section:
    ``sampling.memory_bank``, or ``sampling.of("memory-bank")``.

    Attributes:
        registry: registry of the entries.
        defaults: values of subsections that the config does not give, if they differ from the defaults of ``Settings``.
    """

    model_config = ConfigDict(extra="allow")
    registry: ClassVar[Registry]
    defaults: ClassVar[dict[str, Any]] = {}

    @classmethod
    def subsections(cls) -> dict[str, type[Section]]:
        """Return the class ``Settings`` of each entry by key."""
        return {name.replace("-", "_"): cls.registry[name].Settings for name in cls.registry}

    @model_validator(mode="wrap")
    @classmethod
    def _validate_subsections(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, dict):
            return handler(values)
        fixed = {key: value for key, value in values.items() if key in cls.model_fields}
        others = {key: value for key, value in {**cls.defaults, **values}.items() if key not in cls.model_fields}
        # A separate model, so that errors name the key at fault.
        fields = {key: (settings, settings()) for key, settings in cls.subsections().items()}
        valid = create_model("Subsections", __base__=Section, **fields).model_validate(others)
        return handler({**fixed, **{key: getattr(valid, key) for key in fields}})

    def of(self, name: str) -> Any:
        """Return the settings of an entry by its name."""
        return getattr(self, name.replace("-", "_"))


def plain(value: Any) -> Any:
    """Return settings as JSON types, mappings sorted by key, so that equal settings have equal representations."""
    if isinstance(value, BaseModel):
        return plain(value.described() if isinstance(value, Named) else value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
