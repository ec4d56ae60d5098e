"""Sound as arrays: decoding, tuning, spectrograms, windows."""
