"""Attacks on the real programs, over loopback.

``make attack`` runs them in full and prints a table; ``make test`` runs a small share of each. An
attack is a test that takes the fixture ``attacked`` and records what happened in a
:class:`tests.attack.table.Row`. Tests that make no sense in small carry the marker ``attack``.
"""
