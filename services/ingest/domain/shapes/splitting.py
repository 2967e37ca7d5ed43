"""Finds the members of an array in bytes that are no JSON, so that one broken member takes no other with it.

Only strings and brackets are looked at: a NaN, a lone surrogate or a thousand levels within a member do not matter.
"""

import re

# A string always matches, also one that never ends: else each quote in it would be tried anew, to the end of the text.
_STRING = rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_TOKEN = re.compile(_STRING + rb"|[\[\]{},:]", re.DOTALL)
_INNER = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_OPENING = (b"[", b"{")
_CLOSING = (b"]", b"}")

MOST = 20_001
"""Members that are told apart at most: a batch of so many is refused as it is."""


def members(text: bytes, name: bytes | None) -> tuple[list[bytes], bytes]:
    """Split the array that is the text (no name) or the value of that name in the object that is the text.

    Returns the members' own bytes, and the text with an empty array in their place; no members if no such array ends.
    Of an array with more than `MOST` members only these are returned, and the text until it.
    """
    level, depth, said, key, start = (0 if name is None else 1), 0, b"", b"", -1
    cuts: list[int] = []
    at = 0
    # Deeper than what is looked for only brackets count, and what stands between them is passed over at once.
    while token := (_INNER if depth > level + (start >= 0) else _TOKEN).search(text, at):
        what, at = token[0], token.end()
        if what in _OPENING:
            if start < 0 and depth == level and what == b"[" and (name is None or key == name):
                start = token.start()
                cuts.append(token.end())
            depth += 1
        elif what in _CLOSING:
            depth -= 1
            if start >= 0 and depth == level:
                cuts.append(token.start())
                return _between(text, cuts), text[:start] + b"[]" + text[token.end() :]
        elif what == b"," and start >= 0 and depth == level + 1:
            cuts += (token.start(), token.end())
            if len(cuts) > 2 * MOST:
                return _between(text, cuts[: 2 * MOST]), text[:start] + (b"[]" if name is None else b"[]}")
        elif what == b":" and depth == 1:
            key = said
        elif what.startswith(b'"'):
            said = what[1:-1]
    return [], b""


def _between(text: bytes, cuts: list[int]) -> list[bytes]:
    found = [text[begin:end].strip() for begin, end in zip(cuts[::2], cuts[1::2], strict=True)]
    return [] if found == [b""] else found
