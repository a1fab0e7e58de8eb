"""Drawn diagrams, a module for each lesson, with its measured figures in another: matplotlib, so that they print."""
