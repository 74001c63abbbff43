"""The article's theory without training: tables from closed forms, exact matching and pairs of known distance."""

TABLES = (
    "bias",
    "bias-rates",
    "bias-ratios",
    "duality",
    "game",
    "game-checks",
    "js",
    "lines",
    "picture",
    "plans",
    "recovery",
    "shrinkage",
)
"""The tables that train no critic. The table ``critics`` is separate because it takes longer."""
