"""Tables, figures and verdicts, computed from the tidy frames of a study, and functions that write them to files."""

FRAMES = (
    "measures",
    "bias",
    "interpolation",
    "history",
    "ranking",
    "mode_steps",
    "runs",
    "costs",
    "provenance",
    "signal",
    "datasets",
)
"""Names of the tidy frames of a study, each stored as a parquet file."""
