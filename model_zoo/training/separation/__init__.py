"""How the separator of our own learns: what it hears, mixed on the fly, and the loop."""
