"""Every model that Notabot knows: the manifest, the cards, and what fetches weights."""
