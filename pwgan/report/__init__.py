"""Tables, figures and verdicts: pure functions of the tidy frames of a study, and what writes them into files."""

FRAMES = (
    "measures",
    "bias",
    "interpolation",
    "history",
    "ranking",
    "mode_steps",
    "runs",
    "costs",
    "signal",
    "datasets",
)
"""The frames that a study is joined into, each a parquet file."""
