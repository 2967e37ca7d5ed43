"""From a campaign's YAML to a campaign, or to every problem in it with its line, path, and what was expected."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from services.engagement.domain.campaign import DEFAULT_EXPIRY, Campaign, Channel, Letter, Sender, Trigger
from services.engagement.domain.contact import is_deliverable
from services.engagement.domain.templates import Escaping, Template, TemplateError
from shared.contracts.segments import Change

LONGEST_FILE = 1_000_000

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SENDER = re.compile(r"(?:\"?(?P<name>[^<>\"@\x00-\x1f]*?)\"?\s*<(?P<named>[^<>]*)>|(?P<bare>[^<>\s]*))")
_DURATION = re.compile(r"([1-9][0-9]{0,3}) (minute|hour|day|week)s?")
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_SHOWN = 60
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem with the file it is in; the fields are those that `rapport segments validate --json` has, too."""

    file: str
    line: int
    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Say it in one line, the place first as compilers do."""
        return f"{self.file}:{self.line}: {self.path}: expected {self.expected}, got {self.found}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where in the file, at which path, what was expected and found."""

    line: int
    path: str
    expected: str
    got: str

    def at(self, file: str) -> Fault:
        """Name the file it is in; the root's path is `/`."""
        return Fault(file, self.line, self.path or "/", self.expected, self.got)


@dataclass
class _Reader:
    problems: list[Problem] = field(default_factory=list)

    def report(self, node: Node, path: str, expected: str, got: str | None = None) -> None:
        self.problems.append(
            Problem(node.start_mark.line + 1, path, expected, got if got is not None else _shown(node))
        )

    def fields(self, node: Node, path: str, required: tuple[str, ...], optional: tuple[str, ...]) -> Mapping[str, Node]:
        """Read a mapping with these keys and no others."""
        if not isinstance(node, MappingNode):
            self.report(node, path, f"a mapping with {', '.join(required)}")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if name not in required + optional:
                self.report(key, f"{path}/{name[:_SHOWN]}", f"one of {', '.join(required + optional)}")
            elif name in found:
                self.report(key, f"{path}/{name}", "each key once", f"{name} twice")
            else:
                found[name] = value
        for name in required:
            if name not in found:
                self.report(node, f"{path}/{name}", "a value", "nothing")
        return found

    def text(self, fields: Mapping[str, Node], path: str, name: str, expected: str = "text") -> str | None:
        node = fields.get(name)
        if node is None:
            return None
        if not isinstance(node, ScalarNode) or node.tag != "tag:yaml.org,2002:str" or not node.value.strip():
            self.report(node, f"{path}/{name}", expected)
            return None
        return str(node.value)

    def name(self, fields: Mapping[str, Node], path: str, key: str) -> str | None:
        expected = "lower-case letters, digits and single hyphens"
        value = self.text(fields, path, key, expected)
        if value is not None and not _NAME.fullmatch(value):
            self.report(fields[key], f"{path}/{key}", expected)
            return None
        return value

    def choice(self, fields: Mapping[str, Node], path: str, key: str, choices: tuple[str, ...]) -> str | None:
        expected = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
        value = self.text(fields, path, key, expected)
        if value is not None and value not in choices:
            self.report(fields[key], f"{path}/{key}", expected)
            return None
        return value

    def truth(self, fields: Mapping[str, Node], path: str, key: str) -> bool:
        """Read true or false; false if nothing is said."""
        node = fields.get(key)
        if node is None:
            return False
        # YAML 1.1 takes yes, on and y for true as well: here only the one spelling is.
        if not isinstance(node, ScalarNode) or node.tag != "tag:yaml.org,2002:bool" or node.value not in _TRUTH:
            self.report(node, f"{path}/{key}", "true or false")
            return False
        return _TRUTH[node.value]

    def template(
        self, fields: Mapping[str, Node], path: str, key: str, escaping: Escaping = Escaping.TEXT
    ) -> Template | None:
        source = self.text(fields, path, key, "a Liquid template")
        if source is None:
            return None
        try:
            return Template(source, escaping)
        except TemplateError as error:
            self.report(fields[key], f"{path}/{key}", "a Liquid template", str(error))
            return None


def read_campaign(content: bytes) -> Campaign | tuple[Problem, ...]:
    """Read one campaign; never raises, whatever the bytes are."""
    root = _compose(content)
    if isinstance(root, Problem):
        return (root,)
    reader = _Reader()
    campaign = _campaign(reader, root)
    if campaign is None or reader.problems:
        return tuple(sorted(reader.problems, key=lambda problem: (problem.line, problem.path)))
    return campaign


def _compose(content: bytes) -> Node | Problem:
    if len(content) > LONGEST_FILE:
        return Problem(1, "", f"at most {LONGEST_FILE} bytes", f"{len(content)} bytes")
    try:
        root: Node | None = yaml.compose(content.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Problem(line, "", "UTF-8", f"byte 0x{content[error.start]:02x}")
    except yaml.YAMLError as error:
        return _not_yaml(error)
    except RecursionError:
        return Problem(1, "", "YAML of a reasonable depth", "too many levels")
    return Problem(1, "", "a campaign", "an empty file") if root is None else root


def _campaign(reader: _Reader, root: Node) -> Campaign | None:
    fields = reader.fields(
        root,
        "",
        ("name", "trigger", "channel", "purpose", "from", "subject", "text"),
        ("html", "expires_after"),
    )
    name = reader.name(fields, "", "name")
    trigger = _trigger(reader, fields)
    channel = reader.choice(fields, "", "channel", tuple(Channel))
    purpose = reader.name(fields, "", "purpose")
    letter = _letter(reader, fields)
    expires_after = _duration(reader, fields)
    if name is None or trigger is None or channel is None or purpose is None or letter is None:
        return None
    return Campaign(name, trigger, Channel(channel), purpose, letter, expires_after)


def _letter(reader: _Reader, fields: Mapping[str, Node]) -> Letter | None:
    sender = _sender(reader, fields)
    subject = reader.template(fields, "", "subject")
    text = reader.template(fields, "", "text")
    html = reader.template(fields, "", "html", Escaping.HTML)
    if subject is not None and "\n" in subject.source.strip():
        reader.report(fields["subject"], "/subject", "one line", f"{subject.source.strip().count(chr(10)) + 1} lines")
    return None if sender is None or subject is None or text is None else Letter(sender, subject, text, html)


def _trigger(reader: _Reader, root: Mapping[str, Node]) -> Trigger | None:
    if "trigger" not in root:
        return None
    fields = reader.fields(root["trigger"], "/trigger", ("segment", "on"), ("on_merge",))
    segment = reader.name(fields, "/trigger", "segment")
    on = reader.choice(fields, "/trigger", "on", (Change.ENTERED.value,))
    on_merge = reader.truth(fields, "/trigger", "on_merge")
    return None if segment is None or on is None else Trigger(segment, Change(on), on_merge)


def _sender(reader: _Reader, root: Mapping[str, Node]) -> Sender | None:
    expected = 'an address, say "The Shop <shop@example.com>"'
    written = reader.text(root, "", "from", expected)
    if written is None:
        return None
    matched = _SENDER.fullmatch(written.strip())
    address = "" if matched is None else matched["named"] or matched["bare"] or ""
    if matched is None or not is_deliverable(address):
        reader.report(root["from"], "/from", expected)
        return None
    return Sender(address, (matched["name"] or "").strip())


def _duration(reader: _Reader, root: Mapping[str, Node]) -> timedelta:
    if "expires_after" not in root:
        return DEFAULT_EXPIRY
    expected = "a duration, say 3 days"
    written = reader.text(root, "", "expires_after", expected)
    if written is None:
        return DEFAULT_EXPIRY
    matched = _DURATION.fullmatch(written)
    if matched is None:
        reader.report(root["expires_after"], "/expires_after", expected)
        return DEFAULT_EXPIRY
    return timedelta(seconds=int(matched[1]) * _UNITS[matched[2]])


def _not_yaml(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or "something else"
    return Problem(1 if mark is None else mark.line + 1, "", "YAML", " ".join(str(said).split()))


def _shown(node: Node) -> str:
    if isinstance(node, ScalarNode):
        value = node.value if len(node.value) <= _SHOWN else f"{node.value[:_SHOWN]}…"
        return repr(value)
    return "a mapping" if isinstance(node, MappingNode) else "a list"
