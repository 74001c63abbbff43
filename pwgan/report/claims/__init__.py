"""The claims: numerical checks, rules, the statistics they use, verdicts, and the page that presents them."""

FILES = (
    "verdicts.csv",
    "verdicts-parts.csv",
    "verdicts.md",
    "checks.csv",
    "checks.md",
    "claims.md",
    "claims.html",
)
"""What the claims stage writes; the last is the page that the report shows."""
