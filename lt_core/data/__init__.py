"""Image sets, long-tailed subsets, splits and batches."""
