"""The presets beside plain loops that were written after their sources."""
