"""A course on diffusion models in tested code: each module is about one idea of the lessons."""

__version__ = "0.1.0"
