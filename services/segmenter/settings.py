"""What the segmenter alone needs to know."""

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import RuntimeSettings


class SegmenterSettings(RuntimeSettings):
    """The settings of the segmenter: `CRM_SEGMENTER_…`, else `CRM_…`."""

    definitions_dir: Path = Field(
        Path("config/segments"), description="Folder of the segment definitions, one YAML file a segment."
    )
