"""What an attacker sees of a client's round, and nothing more."""
