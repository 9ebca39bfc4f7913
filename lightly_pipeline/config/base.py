"""What all configuration models share: strictness, both spellings, and errors for people.

Fields are snake_case and accepted in camelCase, too; unknown keys are answered with the nearest
known one. What the fields are is in the modules named after the blocks.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import ErrorDetails

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.hints import did_you_mean

# Options whose keys are the user's own: classes, tags.
_OWN_NAMES = ("target", "similarity_folders", "similarity_texts", "run_tags")
_SECRET_WORDS = ("secret", "password", "token", "key_id", "credential", "external_id")


class StrictModel(BaseModel):
    """A frozen model that takes nothing it does not know and converts nothing silently.

    None is an option that is not given.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        alias_generator=to_camel,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_unset(cls, values: Any) -> Any:
        """Takes None for an option that is not given, as the original's clients send it."""
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if value is not None}
        return values

    @classmethod
    def from_block(cls, block: "Mapping[str, Any] | Self", name: str = "") -> Self:
        """Validates a block as a user writes it.

        Args:
            block: Keys in snake_case or camelCase.
            name: How the block is called in messages.

        Raises:
            InvalidConfigurationError: Names every wrong key and value at once.
        """
        if isinstance(block, cls):
            return block
        if not isinstance(block, Mapping):
            raise InvalidConfigurationError(
                f"{name or cls.__name__}: expected keys and values, got {type(block).__name__}"
            )
        try:
            return cls.model_validate(snake_keys(block))
        except ValidationError as error:
            raise InvalidConfigurationError(_message(error, cls, name)) from None


def snake_keys(value: Any, *, keep_values_of: tuple[str, ...] = _OWN_NAMES) -> Any:
    """Returns a document with snake_case keys throughout.

    Args:
        value: Mappings, models, lists and scalars.
        keep_values_of: Keys below which names are the user's own, such as classes.

    Raises:
        InvalidConfigurationError: A key is given in both spellings.
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True)
    if isinstance(value, Mapping):
        result: dict[str, Any] = {}
        for key, item in value.items():
            snake = to_snake(key) if isinstance(key, str) else str(key)
            if snake in result:
                raise InvalidConfigurationError(f"{snake} is given twice, in two spellings")
            result[snake] = dict(item) if _is_own(snake, item, keep_values_of) else snake_keys(item)
        return result
    if isinstance(value, list | tuple):
        return [snake_keys(item) for item in value]
    return value


def _is_own(key: str, item: Any, keep_values_of: tuple[str, ...]) -> bool:
    return key in keep_values_of and isinstance(item, Mapping)


def _message(error: ValidationError, model: type[BaseModel], name: str) -> str:
    lines = [_line(detail, model, name) for detail in error.errors(include_url=False)]
    return lines[0] if len(lines) == 1 else "\n  ".join(["several mistakes:", *lines])


def _line(detail: ErrorDetails, model: type[BaseModel], name: str) -> str:
    path = _dotted(detail["loc"], name)
    if detail["type"] == "extra_forbidden":
        return f"{path}: unknown option{_hint(detail['loc'], model)}"
    if detail["type"] == "missing":
        return f"{path}: missing"
    text = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error" and isinstance(detail["input"], Mapping | BaseModel):
        return f"{path}: {text}"
    return f"{path}: {text[:1].lower()}{text[1:]}, got {_shown(path, detail['input'])}"


def _dotted(location: tuple[int | str, ...], name: str) -> str:
    text = name
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{to_snake(part)}" if text else part
    return text or "configuration"


def _shown(path: str, value: Any) -> str:
    if any(word in path for word in _SECRET_WORDS):
        return "a value that is not shown"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def without_secrets(value: Any) -> Any:
    """Returns a block as it may be shown: what has the name of a secret is left out."""
    if isinstance(value, Mapping):
        return {
            key: "..." if _is_secret(str(key)) else without_secrets(part)
            for key, part in value.items()
        }
    return [without_secrets(part) for part in value] if isinstance(value, list) else value


def _is_secret(name: str) -> bool:
    return any(word in to_snake(name) for word in _SECRET_WORDS)


def _hint(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """Returns what may have been meant instead of the unknown key at the end of a location."""
    owner = _owner(location[:-1], model)
    if owner is None:
        return ""
    key = str(location[-1])
    advice = getattr(owner, "KEY_ADVICE", {}).get(key)
    if advice:
        return f"; {advice}"
    return f"; {did_you_mean(to_snake(key), owner.model_fields)}"


def _owner(location: tuple[int | str, ...], model: type[BaseModel]) -> type[BaseModel] | None:
    """Returns the model that a location inside `model` belongs to."""
    current: type[BaseModel] = model
    for part in location:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(to_snake(part))
        nested = model_of(field.annotation) if field else None
        if nested is None:
            return None
        current = nested
    return current


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Returns the model that a field of this annotation holds, be it in a list or optional."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = model_of(argument)
        if found is not None:
            return found
    return None
