from lt_core.metrics import metric


@metric("worst", "recall of the worst class", short="worst class")
def worst(outcome):
    return outcome.recall.min()
