"""Print pytest's result as one closing line, from the report that it wrote."""

import sys
import xml.etree.ElementTree as ET

# Our own file, written a moment ago.
suite = next(ET.parse(sys.argv[1]).getroot().iter("testsuite"))  # noqa: S314 - as said above
counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
failed = counts["failures"] + counts["errors"]
passed = counts["tests"] - failed - counts["skipped"]
sys.stdout.write(f"{passed} passed, {failed} failed, {counts['skipped']} skipped\n")
