"""What has a budget, measured: each module here that defines `measure()` is one benchmark."""
