"""Notabot's inference service: audio in, a transcription and its score out."""
