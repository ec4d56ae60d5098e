"""The use cases: a song to a transcription, a transcription to files."""
