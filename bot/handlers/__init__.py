"""Handlers of updates; a module and a router for each subject."""
