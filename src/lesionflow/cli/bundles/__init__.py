"""Commands on finished bundles: the keys that seal them, and other forms of them. No command that trains, judges or registers."""
