"""Parameters that several routes share: numbers that a database takes, texts that can be kept."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AwareDatetime, StringConstraints

MOST_NUMBER = 2**53 - 1
"""What JSON carries exactly everywhere."""

PlainText = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=2_000_000)]
ShortText = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=1000)]
Moment = Annotated[datetime, AwareDatetime]

VideoId = Annotated[int, Path(ge=1, le=MOST_NUMBER, description="The number of a video.", examples=[12])]
TagId = Annotated[int, Path(ge=1, le=MOST_NUMBER, description="The number of a tag.", examples=[7])]
Limit = Annotated[int, Query(ge=1, le=500, description="How many of them a page has.")]
DryRun = Annotated[bool, Query(description="Say what would change, and change nothing.")]
