"""The annotation page: people judge one reconstruction after the other, blind."""
