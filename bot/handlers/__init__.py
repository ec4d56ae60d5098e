"""What the bot does with each kind of update; a router for each subject."""
