"""What sections of the config are made of: base classes, kinds of values, and settings of registered entries."""

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

from wsl.distributions import Distribution, check_numbers
from wsl.errors import ConfigError
from wsl.registry import Registry


def _not_a_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("integer required")
    return value


RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
# Numbers may come as text: Snakemake's own --config leaves those inside of {...} so.
Whole = Annotated[int, BeforeValidator(_not_a_truth_value)]
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

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def fields_of(model: type[BaseModel], registered: bool = True) -> dict[str, Any]:
    """Return the keys of a section, each with its annotation: those of registered entries too, unless told not to."""
    own = {key: field.annotation for key, field in model.model_fields.items()}
    return own | model.subsections() if registered and issubclass(model, Sections) else own


class Named(Section):
    """Base class of registered entries that are their own settings.

    Attributes:
        name: the name in the config, which ``Registry.register`` sets.
    """

    name: ClassVar[str]

    def described(self) -> dict[str, Any]:
        """Return name and settings as plain values: what ``one_of`` reads back."""
        return {"name": self.name, **self.model_dump(mode="json")}


class OneOf:
    """Marks a field whose value is one registered entry, for the reference of the config and for messages."""

    def __init__(self, registry: Registry):
        self.registry = registry


def one_of(registry: Registry, default: str) -> Any:
    """Return the type of a field that selects one entry of a registry and holds its settings.

    In YAML the value is a name (``resnet18``) or a mapping of the name and settings (``{name: resnet18, width: 16}``);
    without ``name`` the default entry is meant.

    Args:
        registry: of classes derived from ``Named``.
        default: name of the entry that is meant where none is given.
    """

    def validate(value: Any) -> Any:
        if isinstance(value, Named):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            raise ValueError(f"give the name of one {registry.kind}, or a mapping with `name` and its settings")
        settings = {key: one for key, one in value.items() if key != "name"}
        try:
            entry = registry[value.get("name", default)]
        except ConfigError as error:
            raise ValueError(str(error)) from None
        try:
            return entry.model_validate(settings)
        except ValidationError as error:
            known = ", ".join(["name", *entry.model_fields])
            unknown = f"unknown key; the keys here are {known}"
            faults = [
                f"{'.'.join(map(str, fault['loc']))}: {unknown if fault['type'] == 'extra_forbidden' else fault['msg']}"
                for fault in error.errors()
            ]
            raise ValueError("; ".join(faults).replace("Value error, ", "")) from None

    return Annotated[Any, PlainValidator(validate), PlainSerializer(lambda value: value.described()), OneOf(registry)]


class Sections(Section):
    """A section with one subsection for each entry of a registry, under the entry's name with ``_`` for ``-``.

    Entries have an attribute ``Settings``, a ``Section`` class. An entry's settings are an attribute of this section:
    ``sampling.memory_bank``, or ``sampling.of("memory-bank")``.

    Attributes:
        registry: of the entries.
        defaults: values of subsections that are not given, where they differ from the defaults of ``Settings``.
    """

    model_config = ConfigDict(extra="allow")
    registry: ClassVar[Registry]
    defaults: ClassVar[dict[str, Any]] = {}

    @classmethod
    def subsections(cls) -> dict[str, type[Section]]:
        """Return the settings' classes of all entries by key."""
        return {name.replace("-", "_"): cls.registry[name].Settings for name in cls.registry}

    @model_validator(mode="wrap")
    @classmethod
    def _validate_subsections(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, dict):
            return handler(values)
        own = {key: value for key, value in values.items() if key in cls.model_fields}
        others = {key: value for key, value in {**cls.defaults, **values}.items() if key not in cls.model_fields}
        # A model of its own, so that errors name the key in which they are.
        fields = {key: (settings, settings()) for key, settings in cls.subsections().items()}
        found = create_model("Subsections", __base__=Section, **fields).model_validate(others)
        return handler({**own, **{key: getattr(found, key) for key in fields}})

    def of(self, name: str) -> Any:
        """Return the settings of an entry."""
        return getattr(self, name.replace("-", "_"))


def plain(value: Any) -> Any:
    """Return settings as JSON types, mappings sorted by key, so that equal settings have equal representations."""
    if isinstance(value, Named):
        return plain(value.described())
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
