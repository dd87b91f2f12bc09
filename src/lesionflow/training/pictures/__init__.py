"""Pictures of a training for people: augmentation, validation slices, curves. Pictures of an evaluation belong to `evaluation`."""
