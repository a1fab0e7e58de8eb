"""Slides, pages, figures and handouts, made from the lessons by nbconvert. In notebooks/: python -m lectures slides"""
