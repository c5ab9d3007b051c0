"""Microsoft.Resources/deployments: templates, their language, and the deployments that carry them out."""
