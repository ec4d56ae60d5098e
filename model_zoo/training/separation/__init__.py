"""Training of the network that separates a singer from a band, on mixes made on the fly."""
