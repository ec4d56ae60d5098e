"""Synthesises training audio: soundfonts, sample banks, drum kits, singing, degradation."""
