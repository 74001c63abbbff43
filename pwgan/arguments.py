"""Jobs as arguments of the command line: JSON, as the workflow writes it, or a place in a study."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from pwgan.cells import Block, DataCell, Reference, Training
from pwgan.errors import Refused
from pwgan.options import Options, explain, one_of
from pwgan.study import Study, read_study

Parsed = TypeVar("Parsed", bound=Options)


def read_training(text: str) -> Training:
    """Read the training parameters of a block from JSON, or from ``STUDY.yaml:DATASET/METHOD/mN/seedsA-B``."""
    return _from_json(Training, text) if _is_json(text) else read_block(text).training


def read_block(text: str) -> Block:
    """Read a block from JSON, or from ``STUDY.yaml:DATASET/METHOD/mN/seedsA-B``."""
    if _is_json(text):
        return _from_json(Block, text)
    study, place = _in_study(text, "DATASET/METHOD/mN/seedsA-B")
    return study.blocks[one_of(place, study.blocks, f"block of {text.removesuffix(':' + place)}")]


def read_data_cell(text: str) -> DataCell:
    """Read a data set from JSON, or from ``STUDY.yaml:DATASET``, or ``STUDY.yaml:DATASET/seedsA-B`` of a law."""
    if _is_json(text):
        return _from_json(DataCell, text)
    study, place = _in_study(text, "DATASET or STUDY.yaml:DATASET/seedsA-B")
    return study.data_cells[one_of(place, study.data_cells, f"data set of {text.removesuffix(':' + place)}")]


def read_reference(text: str) -> Reference:
    """Read the job that measures real samples from JSON, or from ``STUDY.yaml:DATASET/data/seedsA-B``."""
    if _is_json(text):
        return _from_json(Reference, text)
    study, place = _in_study(text, "DATASET/data/seedsA-B")
    return study.references[one_of(place, study.references, f"reference of {text.removesuffix(':' + place)}")]


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("{")


def _from_json(cls: type[Parsed], text: str) -> Parsed:
    try:
        return cls.model_validate_json(text)
    except ValidationError as error:
        raise Refused(f"{cls.__name__} as JSON: {explain(error)}") from error


def _in_study(text: str, form: str) -> tuple[Study, str]:
    """Split ``STUDY.yaml:PLACE`` into the study and the place in it."""
    path, colon, place = text.rpartition(":")
    if not colon:
        raise Refused(f"{text!r} is neither JSON nor STUDY.yaml:{form}")
    return read_study(path), place
