"""Identifiers as types, so that the id of a run is not passed for that of an extraction."""

from typing import NewType

RunId = NewType("RunId", str)
"""The id of a Dagster run."""

ExtractionId = NewType("ExtractionId", str)
"""The id of an extraction: that of the run that started it, with a number after a second start."""
