"""The attacker's view of a client's round, from a simulated client (``client``) or from files (``update_files``)."""
