"""Build Azure VM images, test them, boot a scale set from them, and publish only what passed."""
