"""A project on disk: its layout, recorded versions, locks, and running its stages. What a step does with its inputs belongs to `steps`."""
