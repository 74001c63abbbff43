"""Published numbers beside this suite's, under the protocols of the papers."""

FILES = ("literature.csv", "literature.md", "literature.html")
"""The files of rule ``literature``, the page last."""
TABLES = ("critics-published", "batches")
"""The tables that train no generator."""
