"""The statistics that other rooms share: intervals, the bootstrap, rank statistics, agreement of annotators."""
