"""The overload: three times the load that the service can bear, from clients that come again when they are told to."""
