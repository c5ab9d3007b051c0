"""The language of deployment templates: expressions in square brackets, and their functions.

Source: Azure Resource Manager, "Syntax and expressions in ARM templates" and "ARM template functions".
"""
