"""How the project's own networks are trained; the service imports nothing from here."""
