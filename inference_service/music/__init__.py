"""Musical types and arithmetic in pure Python: no arrays, no audio, no I/O."""
