"""Pure musical types and arithmetic: no arrays, no audio, no I/O."""
