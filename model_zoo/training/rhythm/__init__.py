"""Training of the network that reads rhythm from performed notes."""
