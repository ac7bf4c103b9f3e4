from lt_core.metrics import metric


@metric("two_worst", "mean recall of the two worst classes", short="two worst")
def two_worst(outcome):
    return sum(sorted(outcome.recall)[:2]) / 2
