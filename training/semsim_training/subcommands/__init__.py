"""The sub-commands of ``semsim`` that attack, annotate, train and compare, a module each.

``semsim --help`` and each command's help import them, so that they import training code only where a command runs.
"""
