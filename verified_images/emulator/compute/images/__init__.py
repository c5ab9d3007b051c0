"""What machines are made from: Marketplace images, managed images, and galleries."""
