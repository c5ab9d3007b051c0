"""Virtual machine scale sets: their model, their instances, and what they do by themselves."""
