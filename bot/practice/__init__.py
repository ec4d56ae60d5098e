"""The practice page: a score that plays, follows its recording, and is mended with a finger.

``links.py`` and ``door.py`` say who may look, ``site.py`` serves, ``desk.py`` does the work. The
page itself is TypeScript and lies in ``web/practice``; ``static/`` holds what was built from it.
"""
