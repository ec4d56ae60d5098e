"""Notes to sound: soundfonts, sample banks, drum kits, a singer, damage."""
