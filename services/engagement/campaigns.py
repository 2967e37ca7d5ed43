"""The folder of campaigns: every file read, every problem in any of them told at once."""

from pathlib import Path

from services.engagement.domain.campaign import Campaign
from services.engagement.domain.campaign_file import Problem, read_campaign
from shared.runtime.errors import FatalError


class WrongCampaignsError(FatalError):
    """One or more campaign files can't be used; the text has a line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))


def load_campaigns(folder: Path) -> dict[str, Campaign]:
    """Read every `*.yaml` of a folder, by campaign name; an empty folder is fine, a missing one is not.

    Raises:
        WrongCampaignsError: names each problem as `file:line: path: expected …, got …`.
    """
    if not folder.is_dir():
        raise WrongCampaignsError([f"{folder}:1: /: expected a folder (CRM_ENGAGEMENT_CAMPAIGNS_DIR), got none"])
    campaigns, problems = read_files(sorted(folder.glob("*.yaml")))
    if problems:
        raise WrongCampaignsError(problems)
    return campaigns


def read_files(paths: list[Path]) -> tuple[dict[str, Campaign], list[str]]:
    """Read these files: the campaigns by name, and a line for each problem, names given twice included."""
    campaigns: dict[str, Campaign] = {}
    files: dict[str, Path] = {}
    problems: list[str] = []
    for path in paths:
        try:
            found = read_campaign(path.read_bytes())
        except OSError as error:
            why = error.strerror or type(error).__name__
            problems.append(Problem(1, "", "a file that can be read", why).at(str(path)))
            continue
        if not isinstance(found, Campaign):
            problems += [problem.at(str(path)) for problem in found]
        elif found.name in files:
            got = f"{found.name!r}, the name in {files[found.name]}"
            problems.append(Problem(1, "/name", "a name of its own", got).at(str(path)))
        else:
            campaigns[found.name], files[found.name] = found, path
    return campaigns, problems
