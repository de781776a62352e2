"""How far a metric agrees with those who judged: metrics against annotations, and against each other."""
