"""The OpenAPI document as a page for people: made here, whole without scripts, and nothing in it from another host."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

CODE = re.compile(r"`([^`]+)`")
STRONG = re.compile(r"\*\*([^*]+)\*\*")
HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<title>lesionflow: the API</title><link rel="stylesheet" href="/static/style.css"><link rel="icon" href="data:,"></head><body>'
)


def docs_page(document: Mapping[str, Any], server: str) -> str:
    """Return the page.

    Args:
        document: Of `openapi_document`.
        server: The address that the examples ask.
    """
    return "".join(_page(document, server))


def _page(document: Mapping[str, Any], server: str) -> Iterator[str]:
    yield f"{HEAD}<header><h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>"
    yield '<p><a href="/">Try it by hand</a> · <a href="/openapi.json">OpenAPI 3.1</a></p></header><main>'
    for paragraph in document["info"]["description"].split("\n\n"):
        yield f"<p>{_words(paragraph)}</p>"
    operations = [(path, method, one) for path, item in document["paths"].items() for method, one in item.items()]
    for tag in document["tags"]:
        yield f'<h2 id="{escape(tag["name"])}">{escape(tag["name"])}</h2><p>{_words(tag["description"])}</p>'
        for path, method, operation in operations:
            if tag["name"] in operation["tags"]:
                yield from _operation(path, method, operation, server)
    yield '<h2 id="types">types</h2>'
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<details id="type-{escape(name)}"><summary>{escape(name)}</summary><p>{_words(schema.get("description", ""))}</p>'
        yield f"{_code(schema)}</details>"
    yield "</main></body></html>"


def _operation(path: str, method: str, operation: Mapping[str, Any], server: str) -> Iterator[str]:
    name = escape(operation["operationId"])
    scopes = [scope for one in operation["security"] for scope in one.get("key", ())]
    needs = f"A key needs the scope <code>{escape(scopes[0])}</code>." if scopes else "No key is needed."
    yield f'<section id="{name}"><h3><code>{method.upper()} {escape(path)}</code> {escape(operation["summary"])}</h3>'
    yield f"<p>{_words(operation['description'])} {needs}</p>"
    for sample in operation["x-codeSamples"]:
        yield f"<pre><code>{escape(sample['source'].replace('{server}', server))}</code></pre>"
    if parameters := operation.get("parameters"):
        yield "<table><caption>Parameters</caption><tbody>"
        for one in parameters:
            limits = _limits(one["schema"])
            yield f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td><td>{_words(one.get('description', ''))} {limits}</td></tr>"
        yield "</tbody></table>"
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<details><summary>Body: <code>{escape(media)}</code></summary>{_code(content['schema'])}</details>"
    yield "<table><caption>Answers</caption><tbody>"
    for status, answer in operation["responses"].items():
        yield f"<tr><td>{escape(status)}</td><td>{_words(answer['description'])}{''.join(_contents(answer))}</td></tr>"
    yield "</tbody></table></section>"


def _contents(answer: Mapping[str, Any]) -> Iterator[str]:
    for header, told in answer.get("headers", {}).items():
        yield f"<br><code>{escape(header)}</code>: {_words(told['description'])}"
    for media, content in answer.get("content", {}).items():
        if media == "application/problem+json":
            continue
        kind = str(content["schema"].get("$ref", "")).rpartition("/")[2]
        link = f': <a href="#type-{escape(kind)}">{escape(kind)}</a>' if kind else ""
        yield f"<br><code>{escape(media)}</code>{link}"
        for name, example in content.get("examples", {}).items():
            yield f"<details><summary>Example: {escape(name)}</summary>{_code(example['value'])}</details>"


def _limits(schema: Mapping[str, Any]) -> str:
    told = [schema, *schema.get("anyOf", ())]
    found = {
        key: one[key] for one in told for key in ("enum", "minimum", "maximum", "maxLength", "default") if key in one
    }
    named = (
        f"{key} {', '.join(map(str, value)) if isinstance(value, list) else value}" for key, value in found.items()
    )
    return escape("; ".join(named))


def _words(text: str) -> str:
    return STRONG.sub(r"<strong>\1</strong>", CODE.sub(r"<code>\1</code>", escape(text)))


def _code(value: Any) -> str:
    return f"<pre><code>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</code></pre>"
