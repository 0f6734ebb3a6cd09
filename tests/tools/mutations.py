"""JSON with something wrong: values of every kind where they do not belong, and damaged text."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["HOSTILE", "encode", "mutate"]

HOSTILE: Final[tuple[Any, ...]] = (
    None, True, False, "", "x", "1", "item1", "\x1b[31mred\x07", "a\nb", "\u202e", "e\u0301", "\udcff",
    -1, 0, 1, 2, 3, 14, 65535, 65536, -65536, 2**31, 2**53, 2**63, 2**64 - 1, -(2**63), 10**30,
    0.5, -0.0, 1e-300, 1e9, 1e18, 1e300, -1e300, 4.0, [], {}, [[]], [{}], {"": {}}, [None], [[1, 2]],
    [0] * 6, [1, 2, 3, 4, 5], [65535, 0] * 20_000, {"size": [9, 9], "counts": "PPPP"},
    {"size": [10**6, 10**6], "counts": [10**12]}, {"size": [3, 3], "counts": [4, 5]},
)  # fmt: skip

TOKENS: Final = (
    b"NaN", b"-Infinity", b"1e999", b"null", b"true", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\",
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"\\ud800"', b'"\\u0000"', b"-", b"0", b"1",
    b"99999999999999999999999", b"1.", b".5", b"[" * 2000, b'{"a":' * 2000, b"//", b" ", b"item1",
)  # fmt: skip


def mutate(document: Any, rng: random.Random) -> bytes:
    """The document as JSON, with one to three things wrong."""
    rounds = rng.choice((1, 1, 2, 3))
    text = None
    for _ in range(rounds):
        if text is None and rng.random() < 0.7:
            document = _mutate_value(document, rng)
        else:
            text = encode(document) if text is None else text
            text = rng.choice(_TEXT_MUTATIONS)(text, rng)
    return encode(document) if text is None else text


def encode(document: Any) -> bytes:
    """As JSON, with the halves of characters that no text may have."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _mutate_value(document: Any, rng: random.Random) -> Any:
    """A copy of the document with one node changed."""
    document = json.loads(json.dumps(document))
    parents = list(_containers(document))
    if not parents:
        return rng.choice(HOSTILE)
    # Most containers are polygons; what is near the top matters as much.
    parent = rng.choice(parents[: rng.choice((1, 4, 12, len(parents)))])
    key: Any = rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    kind = rng.randrange(8)
    if kind < 4:
        parent[key] = rng.choice(HOSTILE)
    elif kind == 4:
        del parent[key]
    elif kind == 5 and isinstance(parent[key], int | float):
        parent[key] = rng.choice((-1, 0.5, 1e3, 1e9, 1 + 1e-12)) * parent[key]
    elif kind == 5:
        parent[key] = [parent[key]]
    elif isinstance(parent, list):
        other = rng.choice((parent[key], rng.choice(HOSTILE)))
        many = 20 if isinstance(other, dict | list) else 1000
        parent[key:key] = [other] * rng.choice((1, 2, many if kind == 6 else 3))
    else:
        other = rng.choice((*parent, "item2", "item02", "zoom-in", "id", "\x1b[2J"))
        parent[other] = parent[key]
    return document


def _containers(value: Any) -> Iterator[Any]:
    """All lists and objects with something in them, the outermost first."""
    waiting = [value]
    for each in waiting:
        if isinstance(each, list | dict) and each:
            yield each
            waiting.extend(each.values() if isinstance(each, dict) else each[:50])


def _flip(text: bytes, rng: random.Random) -> bytes:
    changed = bytearray(text)
    for _ in range(rng.choice((1, 1, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(text: bytes, rng: random.Random) -> bytes:
    return text[: rng.randrange(len(text) + 1)]


def _drop(text: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.choice((1, 2, 30, 3000)) :]


def _insert(text: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(text) + 1)
    return text[:start] + rng.choice(TOKENS) + text[start:]


_TOKEN: Final = re.compile(rb'"[^"]*"|[-+.0-9eE]+|[\[\]{},:]|\w+')


def _replace_token(text: bytes, rng: random.Random) -> bytes:
    spans = [match.span() for match in _TOKEN.finditer(text)]
    if not spans:
        return text
    start, end = rng.choice(spans)
    other = rng.choice(spans)
    return text[:start] + rng.choice((text[slice(*other)], rng.choice(TOKENS))) + text[end:]


def _double_key(text: bytes, rng: random.Random) -> bytes:
    """One key more, with another one's name."""
    keys = [match for match in _TOKEN.finditer(text) if text[match.end() : match.end() + 1] == b":"]
    if not keys:
        return text
    start, name = rng.choice(keys).start(), rng.choice(keys).group()
    return (
        text[:start]
        + name
        + b": "
        + rng.choice((b"1", b"{}", b"[]", b"null"))
        + b", "
        + text[start:]
    )


def _repeat(text: bytes, _: random.Random) -> bytes:
    return text + text


_TEXT_MUTATIONS: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _flip, _cut, _drop, _insert, _replace_token, _replace_token, _double_key, _repeat,
)  # fmt: skip
