"""What several bots of one token share, in Valkey or Redis: the extra ``shared``."""
