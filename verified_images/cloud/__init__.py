"""Azure Resource Manager through the Azure SDK; no other package imports the SDK."""
