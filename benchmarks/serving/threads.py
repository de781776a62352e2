"""How many threads the network has, for every contender."""

from semsim.providers import CPUOptions, Provider, ProviderSettings

ONE_THREAD = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))
"""What else a server does then has the other cores, as it would have beside a GPU."""
