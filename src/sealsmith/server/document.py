"""The OpenAPI document as a page for people: `python -m sealsmith.server.document > docs/api.md`."""

from collections.abc import Iterator, Mapping
from typing import Any

from .app import document

TITLES = {
    "images": "Pictures",
    "seals": "Seals",
    "trainings": "Trainings",
    "studies": "Studies",
    "triggers": "Triggers",
    "bases": "Bases",
    "pictures": "Other people's pictures",
    "openai": "OpenAI's dialect",
    "a1111": "A1111's dialect",
    "people": "People",
    "admin": "Administration",
    "status": "Status",
}
"""Sections by tag, in the page's order."""
BOUNDS = {
    "minimum": "from {}",
    "maximum": "to {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} of them",
    "pattern": "as `{}`",
}
KEYS = {
    "any": "a key, whatever it is for",
    **{scope: f"a key for `{scope}`" for scope in ("generate", "train", "admin")},
}
"""What an operation needs, by its `x-scope`."""
HEAD = """# The service's routes

Written from the OpenAPI document by `python -m sealsmith.server.document`; a running service has it at
`/openapi.json`. [How to start one](cli.md#sealsmith-serve).

Send a key as `Authorization: Bearer KEY`, or as the password of Basic authentication. A local service needs none,
and has no trainings and no studies. An answer's `x-request-id` is that of the request, if it had one. Errors have a
status of their own and, in the native dialect, the shape
`{"error": {"code", "message", "remedy", "parameter", "retry_after_s", "request_id"}}`; where trying again may help,
`retry-after` says when. Files are uploaded; no route takes a path or an address.
"""

Document = Mapping[str, Any]


def page(document: Document) -> str:
    """The whole page, in Markdown."""
    sections = []
    for tag, title in TITLES.items():
        operations = "\n".join(
            _operation(document, method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if operation["tags"] == [tag]
        )
        sections.append(f"## {title}\n\n{operations}")
    return HEAD + "\n" + "\n".join(sections)


def _operation(document: Document, method: str, path: str, operation: Document) -> str:
    paragraphs = [each.replace("\n", " ") + "\n" for each in operation["description"].split("\n\n")]
    parts = [f"### {method.upper()} {path}\n", *paragraphs]
    parts += [f"Needs {KEYS[operation['x-scope']]}.\n"] if "x-scope" in operation else []
    rows = [_parameter(document, parameter) for parameter in operation.get("parameters", ())]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"Takes `{kind}`.\n")
        rows += _fields(document, content["schema"])
    if rows:
        parts.append("| field | | |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")
    answers = [_answer(document, status, answer) for status, answer in operation["responses"].items()]
    parts.append(f"Answers {'; '.join(filter(None, answers))}.\n")
    return "\n".join(parts)


def _answer(document: Document, status: str, answer: Document) -> str:
    """What comes with a status; errors are described once for all."""
    if status in ("4XX", "5XX"):
        return ""
    kinds = []
    for kind, content in answer.get("content", {}).items():
        fields = ", ".join(
            f"`{name}`" for name in _resolved(document, content.get("schema", {})).get("properties", ())
        )
        kinds.append(f"`{kind}`" + (f" ({fields})" if fields else ""))
    return f"{status} with {' or '.join(kinds)}" if kinds else status


def _parameter(document: Document, parameter: Document) -> str:
    schema = parameter["schema"]
    text = parameter.get("description", schema.get("description", ""))
    return _row(document, parameter["name"], schema, parameter.get("required", False), text, parameter["in"])


def _fields(document: Document, schema: Document) -> Iterator[str]:
    whole = _resolved(document, schema)
    for name, field in whole.get("properties", {}).items():
        required = name in whole.get("required", ())
        yield _row(document, name, field, required, field.get("description", ""))
        inner = _resolved(document, field.get("items", {}))
        for inner_name, inner_field in inner.get("properties", {}).items():
            inner_required = inner_name in inner.get("required", ())
            text = inner_field.get("description", "")
            yield _row(document, f"{name}[].{inner_name}", inner_field, inner_required, text)


def _row(document: Document, name: str, schema: Document, required: bool, text: str, where: str = "") -> str:
    kind = _kind(document, schema)
    default = schema.get("default")
    notes = [where, kind, "required" if required else ""]
    if not required and default not in (None, [], {}, ""):
        notes.append(f"default `{default}`")
    notes += _bounds(schema)
    return f"| `{name}` | {', '.join(filter(None, notes))} | {text.strip()} |".replace("\n", " ")


def _kind(document: Document, schema: Document) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        kinds = (_kind(document, each) for each in schema["anyOf"] if each.get("type") != "null")
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in schema:
        return "object"
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema['items'])}"
    return "file" if _is_file(schema) else str(schema.get("type", "anything"))


def _bounds(schema: Document) -> Iterator[str]:
    """Every limit of a field, and of its kinds where it has several."""
    for each in (schema, *schema.get("anyOf", ())):
        if _is_file(each):
            yield f"at most {each['maxLength']} bytes"
            continue
        for key, words in BOUNDS.items():
            if key in each:
                bound = each[key]
                is_whole = isinstance(bound, float) and bound.is_integer()
                yield words.format(int(bound) if is_whole else bound)


def _is_file(schema: Document) -> bool:
    return "contentMediaType" in schema or schema.get("format") == "binary"


def _resolved(document: Document, schema: Document) -> Document:
    if "$ref" not in schema:
        return schema
    found: Document = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


if __name__ == "__main__":
    print(page(document()), end="")
