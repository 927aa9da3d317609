"""biggan: the whole life of a class-conditional BigGAN, from training to an offline model."""

__version__ = "0.1.0"
