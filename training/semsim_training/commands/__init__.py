"""The command line of attacks and victims."""
