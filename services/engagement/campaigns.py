"""The folder of campaigns: every file read, every problem in any of them told at once."""

from collections.abc import Sequence
from pathlib import Path

from services.engagement.domain.campaign import Campaign
from services.engagement.domain.campaign_file import Fault, Problem, read_campaign
from shared.runtime.errors import FatalError


class WrongCampaignsError(FatalError):
    """One or more campaign files can't be used; the text has a line for each problem."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))


def load_campaigns(folder: Path) -> dict[str, Campaign]:
    """Read every `*.yaml` of a folder, by campaign name; an empty folder is fine, a missing one is not.

    Raises:
        WrongCampaignsError: names each problem as `file:line: path: expected …, got …`.
    """
    if not folder.is_dir():
        raise WrongCampaignsError([Fault(str(folder), 1, "/", "a folder (CRM_ENGAGEMENT_CAMPAIGNS_DIR)", "none")])
    campaigns, faults = read_files(sorted(folder.glob("*.yaml")))
    if faults:
        raise WrongCampaignsError(faults)
    return campaigns


def read_files(paths: list[Path]) -> tuple[dict[str, Campaign], list[Fault]]:
    """Read these files: the campaigns by name, and each thing that is wrong, names given twice included."""
    campaigns: dict[str, Campaign] = {}
    files: dict[str, Path] = {}
    faults: list[Fault] = []
    for path in paths:
        try:
            found = read_campaign(path.read_bytes())
        except OSError as error:
            why = error.strerror or type(error).__name__
            faults.append(Problem(1, "", "a file that can be read", why).at(str(path)))
            continue
        if not isinstance(found, Campaign):
            faults += [problem.at(str(path)) for problem in found]
        elif found.name in files:
            got = f"{found.name!r}, the name in {files[found.name]}"
            faults.append(Problem(1, "/name", "a name of its own", got).at(str(path)))
        else:
            campaigns[found.name], files[found.name] = found, path
    return campaigns, faults
