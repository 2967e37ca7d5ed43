"""Finds the members of an array in bytes that are no JSON, so that one broken member takes no other with it.

Only strings and brackets are looked at: a NaN, a lone surrogate or a thousand levels within a member do not matter.
"""

import re

# A string always matches, also one that never ends: else each quote in it would be tried anew, to the end of the text.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},:]', re.DOTALL)
_OPENING = (b"[", b"{")
_CLOSING = (b"]", b"}")


def members(text: bytes, name: bytes | None) -> tuple[list[bytes], bytes]:
    """Split the array that is the text (no name) or the value of that name in the object that is the text.

    Returns the members' own bytes, and the text with an empty array in their place; no members if no such array ends.
    """
    level, depth, said, key, start = (0 if name is None else 1), 0, b"", b"", -1
    cuts: list[int] = []
    for token in _TOKEN.finditer(text):
        what = token[0]
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
        elif what == b":" and depth == 1:
            key = said
        elif what.startswith(b'"'):
            said = what[1:-1]
    return [], b""


def _between(text: bytes, cuts: list[int]) -> list[bytes]:
    found = [text[begin:end].strip() for begin, end in zip(cuts[::2], cuts[1::2], strict=True)]
    return [] if found == [b""] else found
