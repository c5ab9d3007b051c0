"""Microsoft.Storage: accounts, and the blobs of a local Azure as the blob service serves them."""
