"""Who is trained on, validated on and tested on."""

from pydantic import BaseModel, ConfigDict, model_validator


class Fold(BaseModel):
    """One way to divide the cases that are not tested on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: tuple[str, ...]
    validation: tuple[str, ...]


class Split(BaseModel):
    """Case ids by use. `test_patients` is locked: a patient once in it stays in it, and none is added to it but new ones.

    `model_name` is the registered model that shares it with every workspace that trains it; empty for one of a workspace alone.

    Examples:
        >>> one, other = Fold(train=("c1", "c2"), validation=("c3",)), Fold(train=("c3",), validation=("c1", "c2"))
        >>> split = Split(
        ...     seed=7,
        ...     fold=1,
        ...     folds=(one, other),
        ...     test=("c4",),
        ...     test_patients=("p3",),
        ...     other_patients=("p1", "p2"),
        ... )
        >>> split.train, split.validation
        (('c3',), ('c1', 'c2'))
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    fold: int
    folds: tuple[Fold, ...]
    test: tuple[str, ...]
    test_patients: tuple[str, ...]
    other_patients: tuple[str, ...]
    model_name: str = ""

    @model_validator(mode="after")
    def _nobody_is_in_two_places(self) -> "Split":
        if not 0 <= self.fold < len(self.folds):
            message = f"fold {self.fold} is none of the {len(self.folds)} folds"
            raise ValueError(message)
        if set(self.test_patients) & set(self.other_patients):
            message = "a patient is both in the test set and outside it"
            raise ValueError(message)
        for fold in self.folds:
            if set(fold.train) & set(fold.validation) or set(self.test) & {*fold.train, *fold.validation}:
                message = "a case is in two parts of the split"
                raise ValueError(message)
        return self

    @property
    def train(self) -> tuple[str, ...]:
        """Case ids that the chosen fold trains on."""
        return self.folds[self.fold].train

    @property
    def validation(self) -> tuple[str, ...]:
        """Case ids that the chosen fold validates on."""
        return self.folds[self.fold].validation
