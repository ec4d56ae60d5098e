"""Training of the networks that read rhythm (:mod:`.notes`) and bars (:mod:`.bars`) from notes."""
