"""Packer's templates, JSON and HCL, made into the model."""
