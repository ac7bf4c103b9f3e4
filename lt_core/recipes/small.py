"""Recipes for small pictures and for features: from unpublished slides, from papers' public code, and our own."""

from __future__ import annotations

from lt_core.recipes.recipe import recipe

# 8×8 digits, a second or two per trial. Images are shifted by up to one pixel, but not flipped, because digits are not symmetric.
# Five epochs of warm-up, as in public code, were chosen over two on validation splits: balanced accuracy is 0.92 ± 0.26 points
# higher (mean and standard error over 120 pairs of softmax, ce_drw, ldam_drw, mm_drw, logit_adjusted and cb_focal at factors 10
# and 50, on five subsets that no suite uses).
recipe(
    name="digits", model="small_cnn", epochs=40, batch_size=64, optimizer="sgd", lr=0.05, nesterov=True, weight_decay=5e-4,
    warmup_epochs=5, warmup_by="step", milestones=(0.6, 0.85), drops=(0.1, 0.01), pad=1, normalize="subset", precision="float32",
)  # fmt: skip

# The 90/10 MNIST example of unpublished slides: MLP 784-256-10, two epochs of Adam, both layers initialised as in PyTorch.
recipe(
    name="mnist_mlp", model="mlp", epochs=2, batch_size=64, optimizer="adam", lr=1e-3, weight_decay=0.0, head_init="pytorch",
    normalize="unit", precision="float32",
)  # fmt: skip

# Cao et al. 2019 (LDAM-DRW), public code: rate ×0.01 from epoch 160, ×0.0001 (of the base) from 180.
recipe(
    name="cifar_ldam", model="resnet32", epochs=200, batch_size=128, lr=0.1, weight_decay=2e-4, warmup_epochs=5,
    milestones=(0.8, 0.9), drops=(1e-2, 1e-4), pad=4, flip=True, normalize="cifar",
)  # fmt: skip

# Cui et al. 2019 (class-balanced loss), public code: shortcut by average pooling, warm-up by step from zero, x/128 − 1.
recipe(
    name="cifar_cb", model="resnet32[shortcut=avgpool]", epochs=200, batch_size=128, lr=0.1, weight_decay=2e-4, warmup_epochs=5,
    warmup_by="step", milestones=(0.8, 0.9), drops=(1e-2, 1e-4), pad=4, flip=True, normalize="signed",
)  # fmt: skip

# Wei et al. 2021 (CReST), public code: FixMatch on WRN-28-2; the averaged model is evaluated. A generation is one such training.
# Keras has momentum 0.999 and ε 0.001 in batch norm, which is 0.001 and 0.001 in PyTorch's terms.
recipe(
    name="cifar_crest", model="wrn28_2[norm_momentum=0.001,norm_eps=0.001]", head_init="glorot", epochs=64, steps=1024,
    batch_size=64, lr=0.03, nesterov=True, weight_decay=5e-4, decay_norms=False, decay="cosine_1_16", ema=0.999, pad=4,
    pad_with="reflection", flip=True, normalize="symmetric",
)  # fmt: skip

# Sohn et al. 2020 (FixMatch), public code: like CReST's, but with the raw input in the shortcuts of the later groups, 7/16 of a
# cosine and 2^20 steps.
recipe(
    name="cifar_fixmatch", model="wrn28_2[shortcut=raw,norm_momentum=0.001,norm_eps=0.001]", head_init="glorot", epochs=1024,
    steps=1024, batch_size=64, lr=0.03, nesterov=True, weight_decay=5e-4, decay_norms=False, decay="cosine_7_16", ema=0.999,
    pad=4, pad_with="reflection", flip=True, normalize="symmetric",
)  # fmt: skip

# He et al. 2021 (Bi-Sampling), public code: every weight and statistic shrinks by 0.02 · lr per step.
recipe(
    name="cifar_bisampling", model="wrn28_2[shortcut=raw]", head_init="glorot", epochs=500, steps=500, batch_size=64,
    optimizer="adam", lr=0.002, weight_decay=0.0, shrink=4e-5, ema=0.999, ema_norms="averaged", pad=4, flip=True,
    normalize="cifar_pixels",
)  # fmt: skip

# Lee et al. 2021 (ABC), public code: like Bi-Sampling's, but with a slower batch norm.
recipe(
    name="cifar_abc", model="wrn28_2[shortcut=raw,norm_momentum=0.001]", head_init="glorot", epochs=500, steps=500,
    batch_size=64, optimizer="adam", lr=0.002, weight_decay=0.0, shrink=4e-5, ema=0.999, ema_norms="averaged", pad=4, flip=True,
    normalize="cifar_pixels",
)  # fmt: skip

# Heads on features of a frozen backbone: see `lt_core.models.frozen`. The values were chosen on validation splits of CIFAR-10 and
# CIFAR-100, of subsets that no suite uses (benchmarks/frozen_recipe.py). Weight decay matters most: at this rate, 0.01 is 1.9 and
# 1.7 points better than 0.002 (mean of 24 trials of six methods). Twenty epochs find the same as ten.
recipe(
    name="frozen", model="frozen[backbone=efficientnet_lite0,size=112,weights=57934424]", epochs=10, batch_size=128, lr=0.1,
    weight_decay=0.01, decay="cosine", normalize="subset", precision="float32", eval_every=1000,
)  # fmt: skip

# 8×8 digits with few labels, some seconds per generation. Batch norm's statistics are averaged like the weights, over 20 steps:
# in every reference, the statistics that are evaluated cover about as many steps as the average of the weights.
recipe(
    name="digits_semi", model="small_cnn", epochs=20, steps=25, batch_size=32, lr=0.05, nesterov=True, weight_decay=5e-4,
    decay="cosine_7_16", ema=0.95, ema_norms="averaged", pad=1, normalize="subset", precision="float32",
)  # fmt: skip
