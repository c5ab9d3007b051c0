"""A stand-alone local Azure for images: Azure Resource Manager over HTTPS in front of real machines."""
