"""What `lesionflow models` does: list, compare, change and verify versions. How its words are parsed belongs to `cli.model_commands`."""
