"""Stencil kernels; the same names and signatures on every device."""
