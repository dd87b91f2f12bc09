"""Steps that several machines share: what a part does, and how parts are joined; how a step does its work alone is told outside, in its own module."""
