"""The annotation page: people judge one reconstruction at a time, blind."""
