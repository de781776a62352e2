"""The files that operators deploy: image, Compose, chart, dashboard and alerts."""
