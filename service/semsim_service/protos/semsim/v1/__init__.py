"""Version 1, to which fields are added, and from which none is taken."""
