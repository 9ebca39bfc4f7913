"""Writes the parts of the pages that the code knows better: options, combinations, commands.

Between `<!-- generated: NAME -->` and `<!-- end -->` a page holds what this script makes; all else
is written by hand. `python docs/generate.py` rewrites the pages, `--check` only says which differ.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lightly_pipeline.cli import command_line
from lightly_pipeline.config import LightlyConfig, PipelineConfig, SelectionConfig, WorkerConfig
from lightly_pipeline.config.base import model_of
from lightly_pipeline.config.checks import CheckLimits
from lightly_pipeline.config.dataset import DatasetDeclaration, Place
from lightly_pipeline.config.strategies import COMBINATIONS
from lightly_pipeline.config.support import REFUSED, Support, note_on, support_of
from lightly_pipeline.telemetry.metrics import INSTRUMENTS

DOCS = Path(__file__).parent
BLOCKS: dict[str, type[BaseModel]] = {
    "worker_config": WorkerConfig,
    "lightly_config": LightlyConfig,
    "selection_config": SelectionConfig,
    "pipeline_config": PipelineConfig,
}
DECLARATIONS: dict[str, type[BaseModel]] = {
    "dataset": DatasetDeclaration,
    "place": Place,
    "checks": CheckLimits,
}
_PART = re.compile(r"(<!-- generated: ([a-z_ ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Rewrites the pages; with `--check` returns 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, report what differs")
    check = parser.parse_args().check
    stale = []
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        made = _PART.sub(lambda part: part[1] + "\n" + _made(part[2]) + "\n" + part[3], text)
        if made != text and not check:
            page.write_text(made, encoding="utf-8")
        stale += [page] if made != text else []
    if check and stale:
        names = ", ".join(str(page.relative_to(DOCS.parent)) for page in stale)
        print(f"not what the code says: {names}; run python docs/generate.py", file=sys.stderr)
    return int(check and bool(stale))


def _made(name: str) -> str:
    kind, _, argument = name.partition(" ")
    makers: dict[str, Callable[[str], Iterator[str]]] = {
        "options": _options,
        "fields": _declaration,
        "combinations": _combinations,
        "refused": _refused,
        "commands": _commands,
        "metrics": _metrics,
    }
    return "".join(f"{line}\n" for line in makers[kind](argument))


def _options(block: str) -> Iterator[str]:
    """Yields the table of a configuration block."""
    yield "| option | values | default | meaning | here |"
    yield "|---|---|---|---|---|"
    schema = BLOCKS[block].model_json_schema(by_alias=False)
    for path, field, values in _fields(BLOCKS[block], schema, schema["$defs"], block):
        cells = (f"`{path}`", values, _default(field), field.description, _here(path))
        yield f"| {' | '.join(cells)} |"


def _declaration(name: str) -> Iterator[str]:
    """Yields the table of what a dataset's declaration may hold."""
    yield "| field | default | meaning |"
    yield "|---|---|---|"
    for key, field in DECLARATIONS[name].model_fields.items():
        default = "required" if field.is_required() else _default(field)
        yield f"| `{key}` | {default} | {field.description} |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, CheckLimits):
        return ""
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_none=True) or None
    return "" if value is None or field.is_required() else f"`{json.dumps(value)}`"


def _fields(
    model: type[BaseModel], schema: dict[str, Any], definitions: dict[str, Any], path: str
) -> Iterator[tuple[str, Any, str]]:
    """Yields (dotted path, field, its values in words) of a model and of those inside it."""
    for name, field in model.model_fields.items():
        nested = model_of(field.annotation)
        if nested is None:
            yield f"{path}.{name}", field, _values(schema["properties"][name])
        else:
            yield from _fields(nested, definitions[nested.__name__], definitions, f"{path}.{name}")


def _values(schema: dict[str, Any]) -> str:
    """Returns in words what a JSON schema allows."""
    if "anyOf" in schema:
        return " or ".join(_values(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        fixed = schema.get("minItems") == schema.get("maxItems")
        size = f"{schema['minItems']} " if fixed and "minItems" in schema else ""
        parts = schema.get("items") or schema["prefixItems"][0]
        return f"list of {size}{_plural(_values(parts))}"
    if kind == "object":
        (value,) = schema.get("patternProperties", {}).values() or [schema["additionalProperties"]]
        return f"{_values(value)}, by name"
    words = {"boolean": "`true`, `false`", "string": "text", "integer": "integer"}
    return words.get(str(kind), "number") + _range(schema)


def _range(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        return f" above {schema['exclusiveMinimum']:g}"
    if low is not None and high is not None:
        return f" {low:g} to {high:g}"
    return f" from {low:g} on" if low is not None else ""


def _plural(values: str) -> str:
    first, space, rest = values.partition(" ")
    return f"{first if first == 'text' else first + 's'}{space}{rest}"


def _here(path: str) -> str:
    note = "see What is refused" if support_of(path) is Support.REFUSED else note_on(path)
    if note.startswith("see "):
        title = note.removeprefix("see ")
        note = f"see [{title}](#{title.lower().replace(' ', '-')})"
    return support_of(path).value + (f": {note}" if note else "")


def _combinations(_: str) -> Iterator[str]:
    """Yields the table of inputs and the strategies that go with them."""
    yield "| input | goes with |"
    yield "|---|---|"
    for kind, strategies in COMBINATIONS.items():
        yield f"| {kind} | {', '.join(strategies)} |"


def _refused(_: str) -> Iterator[str]:
    """Yields the list of what is refused, and why."""
    for what, reason in REFUSED.items():
        yield f"- `{what}`: {reason}."


def _metrics(_: str) -> Iterator[str]:
    """Yields the table of figures that are sent to a collector."""
    yield "| figure | kind | unit | labels | meaning |"
    yield "|---|---|---|---|---|"
    for one in INSTRUMENTS:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield f"| `{one.name}` | {one.kind} | {one.unit} | {labels} | {one.meaning} |"


def _commands(_: str) -> Iterator[str]:
    """Yields every command of the command line: what it is for, and a table of its options."""
    for name, meaning, parser in _parsers(command_line()):
        yield f"## {name}"
        yield ""
        yield f"{meaning[0].upper()}{meaning[1:]}."
        yield ""
        actions = [a for a in parser._actions if "--help" not in a.option_strings]
        if actions:
            yield "| option | default | meaning |"
            yield "|---|---|---|"
            yield from (f"| {' | '.join(_cells(action))} |" for action in actions)
            yield ""


def _parsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Yields name, meaning and parser of every command that takes no further one."""
    for commands in (action for action in parser._actions if isinstance(action.choices, dict)):
        for entry in commands._choices_actions:
            further = list(_parsers(commands.choices[entry.dest]))
            for name, meaning, inner in further or [("", entry.help, commands.choices[entry.dest])]:
                yield f"{entry.dest} {name}".rstrip(), meaning, inner


def _cells(action: argparse.Action) -> tuple[str, str, str]:
    option = " ".join([*action.option_strings, str(action.metavar or "")]).strip()
    default = "required" if action.required else f"`{action.default}`" if action.default else ""
    return f"`{option}`", default, str(action.help)


if __name__ == "__main__":
    sys.exit(main())
