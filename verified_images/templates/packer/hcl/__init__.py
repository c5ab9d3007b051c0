"""Packer's HCL: syntax, values, functions, and the blocks of a template."""
