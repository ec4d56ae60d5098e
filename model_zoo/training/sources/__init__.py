"""Music to learn from: a file for each source, one form for all (:mod:`.piece`)."""
