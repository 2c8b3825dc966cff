"""Prints the shapes of the interface as TypeScript; `npm run shapes` writes them to `src/api/shapes.ts`."""

import json
import textwrap
from typing import Any

from fastapi import FastAPI

from medloop.server.app import ROUTERS

HEAD = "/** What the interface sends and takes, printed from the server's own shapes: `npm run shapes` writes this file anew. */\n"
PLAIN = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}


def print_shapes() -> str:
    """Every schema that a route uses, in the order of its name."""
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    schemas = app.openapi()["components"]["schemas"]
    return HEAD + "".join(
        _interface(name, schemas[name]) for name in sorted(schemas) if name not in ("HTTPValidationError", "ValidationError")
    )


def _interface(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    fields = [f"{field}{'' if field in required else '?'}: {_type(value)};" for field, value in schema.get("properties", {}).items()]
    lines = textwrap.indent(textwrap.fill(" ".join(fields), 140, break_on_hyphens=False), "  ")
    meaning = " ".join(schema.get("description", "").split("\n\n")[0].split())
    return f"\n/** {meaning} */\nexport interface {_name(name)} {{\n{lines}\n}}\n"


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            return _name(reference.rpartition("/")[2])
        case {"anyOf": choices} | {"oneOf": choices}:
            return " | ".join(dict.fromkeys(_type(choice) for choice in choices))
        case {"enum": values}:
            return " | ".join(json.dumps(value) for value in values)
        case {"const": value}:
            return json.dumps(value)
        case {"type": "array", "prefixItems": items}:
            return f"[{', '.join(_type(item) for item in items)}]"
        case {"type": "array", "items": item}:
            inner = _type(item)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case {"type": "object", "additionalProperties": dict(value)}:
            return f"Record<string, {_type(value)}>"
        case {"type": "object"}:
            return "Record<string, unknown>"
        case {"type": kind}:
            return PLAIN[kind]
    return "unknown"


def _name(name: str) -> str:
    return name.removesuffix("View").replace("-", "")


if __name__ == "__main__":
    print(print_shapes(), end="")
