"""What people write about a page, in English and Russian: from words to values.

:func:`bot.wishes.grammar.understand` reads a message such as "3/4, in G, without drums" and returns
the wishes in it, in order, and the words that belong to none. Both languages are always understood,
whichever one the bot answers in.

A rule is a regular expression with a function that turns its match into a wish
(:class:`bot.wishes.rules.Rule`). At each word the longest match of all rules wins; words that only
accompany a wish ("please", "it should be") are skipped. There is no model: a message with a word
that no rule knows is not understood, so that small talk changes nothing. Only a slip in a term of
music is put right (:mod:`bot.wishes.spelling`).
"""
