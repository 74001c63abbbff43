"""What the article says without training: tables from closed forms, exact matching and pairs of known distance."""
