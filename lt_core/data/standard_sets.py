"""The large sets that papers name, as far as they have been seen.

Lists of Places-LT, of the test sets and of the validation parts were read and counted in github.com/facebookresearch/
classifier-balancing (22370c6), shijxcs/LIFT, Vanint/SADE-AgnosticLT, DongSky/LPT and lhl2211000/MCE; of the training lists of
ImageNet-LT, iNaturalist 2018 and ILSVRC 2012 these have the same file by its name in git, and none could be read. The sizes of
iNaturalist are those of github.com/visipedia/inat_comp, and its imbalance in 2017 is that of Van Horn et al. 2018, table 1; the
largest and the smallest class of ImageNet-LT and iNaturalist 2018 are those of github.com/zhangyongshun/BagofTricks-LT, and those
of ILSVRC 2012 those of Russakovsky et al. 2015, table 2.

The lists of Imagenette-LT are ours: what they were drawn from is in github.com/fastai/imagenette (ba8db39, noisy_imagenette.csv),
and docs/standard-sets.md says how.

Of the sets with a layout of their own, Horse2Zebra has as many pictures as several public READMEs of CycleGAN say, 1,067 and
1,334 for training and 120 and 140 for test. CUB-200-2011 was counted in files that github.com/Thinklab-SJTU/pygmtools had
(25e3fda). The sizes of CelebA's parts by sex are those in public configurations.
"""

from lt_core.data.standard import ListFile, Part, Standard

_LISTS = "lists: github.com/facebookresearch/classifier-balancing, folder data"
_ILSVRC = "pictures: ILSVRC 2012 from image-net.org"
_INAT = "pictures and annotations: github.com/visipedia/inat_comp, folder {}"

#: The labels that ImageNet has for Imagenette's ten synsets, which its lists put in this order.
_IMAGENETTE = (
    "tench", "English springer", "cassette player", "chain saw", "church", "French horn", "garbage truck", "gas pump",
    "golf ball", "parachute",
)  # fmt: skip

_CUB = "CUB_200_2011.tgz from www.vision.caltech.edu/datasets/cub_200_2011"
_CUB_TREE = "CUB_200_2011/images.txt, image_class_labels.txt, train_test_split.txt and images/001.Black_footed_Albatross/….jpg"
#: The last words of the names of species, of which 21 are sparrows and 7 flycatchers.
_FAMILIES = (
    "Albatross", "Ani", "Auklet", "Blackbird", "Bobolink", "Bunting", "Cardinal", "Catbird", "Chat", "Cormorant", "Cowbird",
    "Creeper", "Crow", "Cuckoo", "Finch", "Flicker", "Flycatcher", "Frigatebird", "Fulmar", "Gadwall", "Geococcyx",
    "Goldfinch", "Grackle", "Grebe", "Grosbeak", "Guillemot", "Gull", "Hummingbird", "Jaeger", "Jay", "Junco", "Kingbird",
    "Kingfisher", "Kittiwake", "Lark", "Loon", "Mallard", "Meadowlark", "Merganser", "Mockingbird", "Nighthawk",
    "Nutcracker", "Nuthatch", "Oriole", "Ovenbird", "Pelican", "Pewee", "Pipit", "Puffin", "Raven", "Redstart", "Sayornis",
    "Shrike", "Sparrow", "Starling", "Swallow", "Tanager", "Tern", "Thrasher", "Towhee", "Violetear", "Vireo", "Warbler",
    "Waterthrush", "Waxwing", "Widow", "Will", "Woodpecker", "Wren", "Yellowthroat",
)  # fmt: skip

#: The sets by the names that suites have for them.
STANDARD = {
    "imagenet_lt": Standard(
        title="ImageNet-LT (Liu et al. 2019)",
        classes=1000,
        sizes=(1280, 5),
        train=Part(ListFile("ImageNet_LT_train.txt", 115_846, git="a063f095fcd475db4cf8b0658c4b73955535bbf9")),
        # With val/n01440764/ILSVRC2012_val_00029930.JPEG, and with val/ILSVRC2012_val_00029930.JPEG as the archive has it.
        test=Part(
            ListFile("ImageNet_LT_test.txt", 50_000, ("5f5f97c738923e877c5c78accce6744f", "467b330a78bb8245c16feea52be4c559"))
        ),
        validation=Part(ListFile("ImageNet_LT_val.txt", 20_000, ("ef44f8e43fbc904809a77216042e7498",))),
        tests="the validation set of ILSVRC 2012, 50 per class",
        pictures="train/n01440764/….JPEG and val/n01440764/….JPEG, or val/….JPEG",
        get=f"{_LISTS}/ImageNet_LT; {_ILSVRC}",
        imagenet="from which these classes and training pictures come",
    ),
    "places_lt": Standard(
        title="Places-LT (Liu et al. 2019)",
        classes=365,
        sizes=(
            219, 20, 115, 86, 229, 33, 25, 4980, 108, 2612, 33, 39, 2400, 87, 12, 225, 41, 98, 191, 1582, 37, 78, 48, 7, 1530,
            56, 93, 84, 18, 183, 155, 72, 92, 78, 10, 120, 22, 6, 143, 98, 195, 36, 1487, 93, 73, 1406, 8, 40, 1380, 138, 11,
            14, 1085, 43, 59, 20, 6, 129, 103, 98, 46, 41, 1036, 82, 14, 23, 1023, 841, 8, 91, 20, 30, 19, 34, 44, 11, 198, 129,
            135, 132, 29, 830, 725, 11, 689, 88, 668, 48, 5, 38, 643, 605, 71, 6, 566, 72, 34, 547, 54, 72, 6, 33, 36, 97, 76,
            78, 521, 97, 116, 157, 499, 8, 99, 74, 24, 62, 28, 128, 176, 72, 87, 482, 148, 86, 40, 147, 5, 108, 6, 8, 35, 24,
            480, 32, 140, 7, 84, 6, 46, 22, 104, 85, 118, 59, 72, 36, 34, 80, 33, 100, 475, 470, 79, 164, 451, 7, 28, 171, 65,
            15, 8, 80, 20, 208, 450, 28, 9, 60, 9, 10, 13, 431, 9, 22, 34, 428, 72, 17, 34, 42, 73, 98, 188, 422, 42, 20, 60,
            21, 6, 39, 50, 23, 408, 167, 99, 5, 25, 97, 13, 105, 55, 13, 41, 392, 389, 383, 54, 12, 17, 207, 57, 18, 63, 81,
            374, 371, 48, 367, 25, 16, 366, 98, 7, 104, 364, 28, 89, 68, 15, 17, 46, 113, 334, 56, 60, 12, 55, 51, 87, 58, 26,
            15, 22, 331, 179, 318, 12, 18, 8, 94, 65, 71, 315, 29, 173, 9, 14, 315, 226, 124, 33, 9, 9, 51, 15, 52, 309, 34,
            209, 61, 116, 298, 298, 149, 60, 70, 89, 218, 291, 290, 30, 36, 16, 186, 287, 36, 195, 80, 283, 39, 141, 14, 181,
            152, 11, 6, 22, 39, 19, 280, 11, 173, 11, 43, 112, 177, 111, 279, 108, 153, 103, 19, 265, 264, 95, 72, 40, 263, 19,
            229, 45, 54, 12, 260, 253, 32, 253, 27, 52, 34, 250, 10, 11, 49, 250, 17, 24, 242, 74, 14, 48, 216, 241, 16, 238,
            232, 8, 33, 205, 93, 46, 7, 46, 82, 44, 230, 91, 218, 21, 69, 156, 206, 103, 14, 20,
        ),
        # With train/airfield/00004851.jpg (Places365-Standard, easy directories), and with data_256/a/airfield/00004851.jpg.
        train=Part(
            ListFile("Places_LT_train.txt", 62_500, ("e7795ab1bf428a89f900854127b1e556", "d7a0fa1e2521e7d8fff4338ad1c65bed"))
        ),
        test=Part(
            ListFile("Places_LT_test.txt", 36_500, ("1347af35b053bd31cf782256306affe7", "c27fb6fd50c2675f1af7a5885fa8cec4"))
        ),
        validation=Part(
            ListFile("Places_LT_val.txt", 7_300, ("2f6e727cd6c99c7b7fdecc9876875b1b", "82c2d809e9429344f9f9a2c0d7adca36"))
        ),
        tests="the validation set of Places365, 100 per class",
        pictures="train/airfield/….jpg and val/airfield/….jpg, or data_256/a/airfield/….jpg and val_256/….jpg",
        get=f"{_LISTS}/Places_LT; pictures: Places365-Standard, 256 × 256, from places2.csail.mit.edu",
    ),
    "inat2017": Standard(
        title="iNaturalist 2017 (Van Horn et al. 2018)",
        classes=5089,
        # Seen is their ratio, 435.44 (Van Horn et al. 2018, table 1): these are the least whole numbers that have it.
        sizes=(3919, 9),
        train=Part(ListFile("iNaturalist17_train.txt", 579_184), annotations="train2017.json"),
        test=Part(ListFile("iNaturalist17_val.txt", 95_986), annotations="val2017.json"),
        tests="the competition's validation set, because the test labels are not public",
        pictures="train_val_images/Aves/…/….jpg",
        get=_INAT.format("2017"),
    ),
    "inat2018": Standard(
        title="iNaturalist 2018 (Van Horn et al. 2018)",
        classes=8142,
        sizes=(1000, 2),
        train=Part(
            ListFile("iNaturalist18_train.txt", 437_513, git="4accdb7584d2f0a5106c40a33ed6afa392189bcc"),
            annotations="train2018.json",
        ),
        test=Part(
            ListFile("iNaturalist18_val.txt", 24_426, ("b7ed52f3854c157c487cc3be9deb8abf",)), annotations="val2018.json"
        ),
        tests="the competition's validation set, 3 per class, because the test labels are not public",
        pictures="train_val2018/Aves/2820/….jpg",
        get=f"{_INAT.format('2018')}; {_LISTS}/iNaturalist18",
    ),
    "ilsvrc2012": Standard(
        title="ILSVRC 2012, ImageNet (Russakovsky et al. 2015)",
        classes=1000,
        sizes=(1300, 732),
        train=Part(
            ListFile("ImageNet_train.txt", 1_281_167, git="7c3218a52079ea1c067ea2999deab7f398fcdc14"), folders="train/n*"
        ),
        test=Part(ListFile("ImageNet_val.txt", 50_000, ("37369baa8b718ba5d2d147f541c6336b",)), folders="val/n*"),
        tests="its validation set, 50 per class, because the test labels are not public",
        pictures="train/n01440764/….JPEG and val/n01440764/….JPEG, as torchvision's ImageNet has them",
        get=f"{_ILSVRC}; {_LISTS}/ImageNet",
        imagenet="which is this set",
    ),
    "imagenette_lt": Standard(
        title="Imagenette-LT",
        classes=10,
        sizes=(300, 215, 154, 110, 79, 56, 40, 29, 20, 15),
        train=Part(ListFile("imagenette_LT_train.txt", 1018, ("bb0767e87ef1ba5dc04ed02919a5be76",), shipped=True)),
        test=Part(ListFile("imagenette_LT_val.txt", 500, ("653bb4dda96b35b80c69cc995526a73d",), shipped=True)),
        tests="from the validation set of Imagenette, 50 per class",
        pictures="train/n01440764/….JPEG and val/n01440764/….JPEG",
        get="pictures: imagenette2-320.tgz from github.com/fastai/imagenette; the lists come with the benchmark",
        class_names=_IMAGENETTE,
        imagenet="which contains these classes and, in its training set, 95 % of the test pictures",
    ),
    "horse2zebra": Standard(
        title="Horse2Zebra (Zhu et al. 2017)",
        classes=2,
        sizes=(1067, 1334),
        train=Part(ListFile("", 2401), tree="trainA"),
        test=Part(ListFile("", 260), tree="testA"),
        tests="120 horses and 140 zebras",
        pictures="horse2zebra/trainA, trainB, testA and testB",
        get="horse2zebra.zip by github.com/junyanz/pytorch-CycleGAN-and-pix2pix, datasets/download_cyclegan_dataset.sh",
        class_names=("horse", "zebra"),
        imagenet="from which these pictures come",
    ),
    "celeba_male": Standard(
        title="CelebA by sex (Liu et al. 2015)",
        classes=2,
        sizes=(94_509, 68_261),
        train=Part(ListFile("", 162_770), tree="list_attr_celeba.txt#Male"),
        test=Part(ListFile("", 19_962), tree="list_attr_celeba.txt#Male"),
        tests="its test split, 12,247 women and 7,715 men",
        pictures="celeba/list_attr_celeba.txt, list_eval_partition.txt and img_align_celeba/000001.jpg",
        get="torchvision.datasets.CelebA, or mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        class_names=("not Male", "Male"),
    ),
    "cub": Standard(
        title="CUB-200-2011 (Wah et al. 2011)",
        classes=200,
        sizes=tuple(29 if c in (106, 125, 134, 140, 189, 195) else 30 for c in range(200)),
        train=Part(ListFile("", 5994), tree="train_test_split.txt"),
        test=Part(ListFile("", 5794), tree="train_test_split.txt"),
        tests="its test split, 11 to 30 per class",
        pictures=_CUB_TREE,
        get=_CUB,
    ),
    "cub_families": Standard(
        title="CUB-200-2011 by the last word of the species",
        classes=70,
        sizes=(
            90, 30, 120, 120, 30, 90, 30, 60, 30, 90, 60, 30, 60, 90, 60, 30, 210, 30, 30, 30, 30, 60, 30, 120, 120, 30,
            240, 90, 60, 90, 30, 60, 150, 30, 30, 30, 30, 30, 60, 30, 30, 30, 30, 120, 30, 60, 30, 30, 30, 59, 30, 30, 60,
            629, 30, 119, 60, 209, 60, 60, 30, 210, 750, 60, 60, 30, 30, 179, 209, 30,
        ),
        train=Part(ListFile("", 5994), tree="train_test_split.txt#family"),
        test=Part(ListFile("", 5794), tree="train_test_split.txt#family"),
        tests="its test split",
        pictures=_CUB_TREE,
        get=_CUB,
        class_names=_FAMILIES,
    ),
}  # fmt: skip
