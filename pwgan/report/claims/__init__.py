"""The claims of the article: rules, the statistics they use, verdicts, and the page that presents them."""

FILES = ("claims.csv", "claims-parts.csv", "claims-table.md", "claims.md", "claims.html")
"""What the claims stage writes; the last is the page that the report shows."""
