"""Build Azure VM images, test them, boot a scale set from them, and publish only what passed.

The library without pytest: ``pipeline.Build`` takes a template through its stages, ``templates.loading`` reads one,
``cloud.connection`` leads to an Azure, ``errors`` has all that can go wrong, and ``emulator.LocalCloud`` is an Azure of
one's own. Nothing is imported here, since pytest loads this package in every run on the machine.
"""
