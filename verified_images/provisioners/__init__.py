"""What a template does to the build VM, one provisioner a file."""
