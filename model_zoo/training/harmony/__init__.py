"""Training of the prior of chords, by which keys are estimated."""
