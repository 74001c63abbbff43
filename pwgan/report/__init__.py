"""Tables and figures: pure functions of tidy data frames, and the two writers that put them into files."""
