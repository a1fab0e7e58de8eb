"""Drawn diagrams, a module for each lesson, and measured figures where a lesson has many: matplotlib, so that they print."""
