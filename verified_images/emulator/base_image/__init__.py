"""The disks of Marketplace images, built here from the distribution's own packages.

Nothing is downloaded but packages, and neither root, loop devices nor mounts are needed. A disk is built once and
kept in the cache folder under a key of everything that goes into it.
"""
