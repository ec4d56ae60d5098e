"""Audio as arrays: decoding, encoding, tuning, spectrograms, windows."""
