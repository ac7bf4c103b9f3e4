"""Recipes for photographs: from papers' public code (store sets at 256 pixels for crops of 224, at 366 for 320), and our own."""

from __future__ import annotations

from dataclasses import replace

from lt_core.recipes.recipe import RECIPES, recipe

# Cui et al. 2019 (class-balanced loss), table 3, public code: richardaecn/class-balanced-loss at 0ab6eb7, tpu/run_inat2017.sh,
# tpu/run_inat2018.sh and tpu/models/official/resnet (resnet_main.py, resnet_model.py, resnet_preprocessing.py). The rate is 0.4
# for a batch of 256, hence 1.6 for 1024. Weight decay spares batch norm and the classifier's bias, which sigmoid and focal losses
# start at −log(C − 1). At 320 pixels: crop=320. Differences here: bilinear instead of bicubic scaling, a block's last batch norm
# does not start at zero, torchvision's initialisation of convolutions, crops of the central square, and a smaller last batch is
# kept.
_CUI = recipe(
    name="cui_large", model="resnet50", epochs=90, batch_size=1024, lr=1.6, nesterov=True, weight_decay=1e-4, decay_norms=False,
    warmup_epochs=5, warmup_by="step", milestones=(30 / 90, 60 / 90, 80 / 90), drops=(0.1, 0.01, 0.001), crop=224, flip=True,
    normalize="inat", head_init="small",
)  # fmt: skip

# The same on ILSVRC 2012 (tpu/run_ILSVRC2012.sh): half the rate, ImageNet's mean and deviation.
RECIPES.add("cui_ilsvrc", replace(_CUI, name="cui_ilsvrc", lr=0.8, normalize="imagenet"))

# Kang et al. 2020 (decoupling), first stage, public code: facebookresearch/classifier-balancing at 22370c6,
# config/ImageNet_LT/feat_uniform.yaml, data/dataloader.py and run_networks.py. That code skips a smaller last batch.
recipe(
    name="imagenet_lt_90", model="resnext50_32x4d", epochs=90, batch_size=512, lr=0.2, weight_decay=5e-4, decay="cosine_by_epoch",
    crop=224, flip=True, jitter=(0.4, 0.4, 0.4), normalize="imagenet", head_init="pytorch",
)  # fmt: skip

# The same paper on iNaturalist 2018 (config/iNaturalist18/feat_unifrom.yaml); its README also has 200 epochs: epochs=200.
recipe(
    name="inat_90", model="resnet50", epochs=90, batch_size=512, lr=0.2, weight_decay=1e-4, decay="cosine_by_epoch", crop=224,
    flip=True, normalize="inat", head_init="pytorch",
)  # fmt: skip

# Zhong et al. 2021 (MiSLAS), first stage on Places-LT, public code: dvlab-research/MiSLAS at 0fc381e,
# config/places/places_resnet152_stage1_mixup.yaml, train_stage1.py, datasets/places.py and models/resnet_places.py. The network
# has been trained on ImageNet (torchvision's IMAGENET1K_V1); its last block and its classifier are trained, and the rest stays in
# evaluation mode. Differences here: no mixup, which is a method, and the last block starts from its weights, where that code
# initialises it.
recipe(
    name="places_lt_90", model="resnet152[weights=394f9c45,trained=last_block]", epochs=90, batch_size=256, lr=0.1,
    weight_decay=5e-4, decay="cosine_by_epoch", crop=224, flip=True, jitter=(0.4, 0.4, 0.4), normalize="imagenet",
    head_init="pytorch",
)  # fmt: skip

# Our own, for a thousand photographs on two cores (Imagenette-LT): short, and not tuned. The network starts from random weights,
# and pictures are stored at 80 pixels.
recipe(
    name="photos_scratch", model="resnet18", epochs=8, batch_size=32, lr=0.05, nesterov=True, weight_decay=5e-4,
    warmup_epochs=1, warmup_by="step", decay="cosine", crop=64, crop_area=(0.35, 1.0), flip=True, normalize="imagenet",
    head_init="pytorch", precision="float32", eval_every=1000,
)  # fmt: skip

# Two classes of photographs at 64, 128 or 256 pixels, for joint generation: longer, and not tuned either. CycleGANs are trained
# for as many epochs, half of those in their paper.
recipe(
    name="photos_pair", model="resnet18", epochs=100, batch_size=32, lr=0.05, nesterov=True, weight_decay=5e-4, warmup_epochs=1,
    warmup_by="step", decay="cosine", pad=8, flip=True, normalize="imagenet", head_init="pytorch", eval_every=10,
)  # fmt: skip

# Trains the last block of the packaged network, and the convolution after it, on pictures that are stored at 128 pixels.
recipe(
    name="photos_last_block", model="efficientnet_lite0[weights=57934424,trained=last_block]", epochs=6, batch_size=32, lr=0.02,
    nesterov=True, weight_decay=1e-4, decay="cosine", crop=112, crop_area=(0.35, 1.0), flip=True, normalize="symmetric",
    head_init="pytorch", precision="float32", eval_every=1000,
)  # fmt: skip
