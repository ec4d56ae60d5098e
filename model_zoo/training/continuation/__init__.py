"""Learning how music goes on: the corpora as written songs, and what is counted in them.

:mod:`.corpora` lists
songs; each corpus has a module that writes its songs down.
"""
