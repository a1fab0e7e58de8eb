"""Drawn diagrams, a module for each lesson: functions that return a matplotlib figure, so that they print anywhere."""
