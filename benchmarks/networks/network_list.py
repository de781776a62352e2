"""More than 40 networks to attack, each with a small form for tests."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import timm
import torchvision.models as tv
from timm.layers import GatedMlp
from timm.models import metaformer, mlp_mixer
from torch import nn
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig
from torchvision.models.regnet import BlockParams
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

from benchmarks.networks.tutorial_networks import BlitzNet, MnistNet, Unusual, fashion_mlp, fedavg_cnn, moderate_cnn

_CLASSES = 10


@dataclass(frozen=True, slots=True)
class ListedNetwork:
    """A network to attack."""

    name: str
    source: str
    make: Callable[[], nn.Module]
    small: Callable[[], nn.Module] | None
    """A narrow or shallow form with the same kinds of layers and operations; ``None`` where there is none."""
    shape: tuple[int, int, int] = (3, 64, 64)
    """Channels, height and width."""
    small_shape: tuple[int, int, int] = (3, 32, 32)


def _large(name: str, source: str, **options: Any) -> ListedNetwork:
    """A network that has no cheap form."""
    if source == "timm":
        return ListedNetwork(name, source, partial(timm.create_model, name, num_classes=_CLASSES), None)
    return ListedNetwork(name, source, partial(tv.get_model, name, weights=None, num_classes=_CLASSES, **options), None)


def _torchvision(name: str, small: Callable[..., nn.Module] | None = None, **options: Any) -> ListedNetwork:
    make = partial(tv.get_model, name, weights=None, num_classes=_CLASSES)
    narrow = partial(small, num_classes=_CLASSES, **options) if small else partial(make, **options)
    return ListedNetwork(name, "torchvision", make, narrow)


def _timm(
    name: str, small: Callable[..., nn.Module] | None = None, *, side: int = 32, sized: bool = False, **narrow: Any
) -> ListedNetwork:
    make = partial(timm.create_model, name, num_classes=_CLASSES)
    full, less = ({"img_size": 64}, {"img_size": side}) if sized else ({}, {})
    narrowed = partial(small, num_classes=_CLASSES) if small else make
    return ListedNetwork(
        name, "timm", partial(make, **full), partial(narrowed, **less, **narrow), small_shape=(3, side, side)
    )


def _own(
    name: str, source: str, make: Callable[..., nn.Module], side: int, channels: int = 3, **narrow: Any
) -> ListedNetwork:
    shape = (channels, side, side)
    return ListedNetwork(name, source, make, partial(make, **narrow), shape, shape)


def _unusual(trait: str, shape: tuple[int, int, int] = (3, 16, 16)) -> ListedNetwork:
    make = partial(Unusual, trait, channels=shape[0])
    return ListedNetwork(trait, "a small CNN", make, make, shape, shape)


_BLOCKS = [MBConvConfig(1, 3, 1, 8, 8, 1), MBConvConfig(6, 3, 2, 8, 16, 1), MBConvConfig(6, 5, 2, 16, 24, 2)]
_FUSED = [FusedMBConvConfig(1, 3, 1, 8, 8, 1), FusedMBConvConfig(4, 3, 2, 8, 16, 1), MBConvConfig(4, 3, 2, 16, 24, 2)]
_VIT: dict[str, Any] = {
    "image_size": 32,
    "patch_size": 8,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "mlp_dim": 32,
}
_SWIN: dict[str, Any] = {
    "patch_size": [2, 2],
    "embed_dim": 16,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": [4, 4],
}
_SMALL_VIT: dict[str, Any] = {"patch_size": 8, "depth": 2, "embed_dim": 24, "num_heads": 2}


_SMALL_MIXER: dict[str, Any] = {"patch_size": 8, "num_blocks": 2, "embed_dim": 16}
_SMALL_RESNET: dict[str, Any] = {"layers": (1, 1, 1, 1), "channels": (32, 32, 32, 64)}


def _groupnorm(**options: Any) -> nn.Module:
    network: nn.Module = timm.create_model("resnet26", num_classes=_CLASSES, norm_layer="groupnorm", **options)
    return network


NETWORKS = (
    _large("alexnet", "torchvision"),
    _large("vgg11_bn", "torchvision"),
    _torchvision("resnet18", partial(tv.ResNet, BasicBlock, [1, 1, 1, 1])),
    _torchvision("resnext50_32x4d", partial(tv.ResNet, Bottleneck, [1, 1, 1, 1], groups=4, width_per_group=8)),
    _large("wide_resnet50_2", "torchvision"),
    _torchvision("densenet121", tv.DenseNet, growth_rate=8, block_config=(2, 2, 2, 2), num_init_features=16),
    _torchvision("squeezenet1_1"),
    _torchvision("shufflenet_v2_x0_5", partial(tv.ShuffleNetV2, [2, 2, 2], [24, 48, 96, 192, 256])),
    _torchvision("mnasnet0_5"),
    _large("googlenet", "torchvision", aux_logits=True, init_weights=False),
    _torchvision("mobilenet_v2", width_mult=0.35),
    _torchvision("mobilenet_v3_small", width_mult=0.5),
    _torchvision("mobilenet_v3_large", width_mult=0.35),
    _torchvision("efficientnet_b0", partial(tv.EfficientNet, _BLOCKS, dropout=0.2)),
    _torchvision("efficientnet_v2_s", partial(tv.EfficientNet, _FUSED, dropout=0.2)),
    _torchvision("convnext_tiny", partial(tv.ConvNeXt, [CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)])),
    _torchvision(
        "regnet_y_400mf",
        partial(tv.RegNet, BlockParams.from_init_params(6, 16, 16.0, 2.0, 8, se_ratio=0.25)),
    ),
    _torchvision("swin_t", tv.SwinTransformer, **_SWIN),
    _torchvision(
        "swin_v2_t", tv.SwinTransformer, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2, **_SWIN
    ),
    ListedNetwork(
        "vit_b_16",
        "torchvision",
        partial(tv.vit_b_16, image_size=64, num_classes=_CLASSES),
        partial(tv.VisionTransformer, num_classes=_CLASSES, **_VIT),
    ),
    ListedNetwork(
        "maxvit",
        "torchvision",
        *2 * (partial(tv.MaxVit, (64, 64), 8, 4, [8, 16], [1, 1], 8, 0.1, num_classes=_CLASSES),),
        small_shape=(3, 64, 64),
    ),
    _timm("vit_tiny_patch16_224", sized=True, **_SMALL_VIT),
    _timm("deit_tiny_distilled_patch16_224", sized=True, **_SMALL_VIT),
    _timm("beit_base_patch16_224", sized=True, **_SMALL_VIT),
    _timm("cait_xxs24_224", sized=True, **_SMALL_VIT, depth_token_only=1),
    _timm("convit_tiny", sized=True, **_SMALL_VIT, local_up_to_layer=1),
    _timm("swin_tiny_patch4_window7_224", sized=True, embed_dim=16, depths=(2, 2), num_heads=(2, 4), window_size=4),
    _timm("mixer_s32_224", mlp_mixer.MlpMixer, sized=True, **_SMALL_MIXER),
    _timm(
        "resmlp_12_224",
        partial(mlp_mixer.MlpMixer, block_layer=mlp_mixer.ResBlock, norm_layer=mlp_mixer.Affine, mlp_ratio=4),
        sized=True,
        **_SMALL_MIXER,
    ),
    _timm(
        "gmlp_s16_224",
        partial(mlp_mixer.MlpMixer, block_layer=mlp_mixer.SpatialGatingBlock, mlp_layer=GatedMlp, mlp_ratio=6),
        sized=True,
        **_SMALL_MIXER,
    ),
    _timm("resnet10t", **_SMALL_RESNET),
    ListedNetwork("resnet26 with GroupNorm", "timm", _groupnorm, partial(_groupnorm, **_SMALL_RESNET)),
    _timm("seresnet18", **_SMALL_RESNET),
    _timm("skresnet18", **_SMALL_RESNET),
    _timm("res2net50_26w_4s", **_SMALL_RESNET),
    _large("nf_regnet_b0", "timm"),
    _timm("tf_efficientnet_lite0"),
    _timm("tinynet_e"),
    _timm("mobilenetv3_small_050"),
    _timm("mobilenetv4_conv_small_050"),
    _timm("lcnet_050"),
    _timm("ghostnet_050"),
    _large("repvgg_a0", "timm"),
    _timm("convnext_atto", depths=(1, 1, 1, 1), dims=(8, 8, 16, 16)),
    _timm("edgenext_xx_small", depths=(1, 1, 1, 1), dims=(16, 16, 32, 32), heads=(2, 2, 2, 2)),
    _timm("poolformer_s12", metaformer.MetaFormer, depths=(1, 1, 1, 1), dims=(8, 8, 16, 16)),
    _timm("pit_ti_224", sized=True, side=64, depth=(1, 1, 1)),
    _timm("levit_128s", sized=True, side=64),
    _timm("xcit_nano_12_p16_224", sized=True, depth=2, embed_dim=24, num_heads=2),
    _timm("mobilevit_xxs"),
    _timm("visformer_tiny", sized=True, side=64, init_channels=8, embed_dim=32, depth=(1, 1, 1), num_heads=2),
    _own("60-minute blitz", "PyTorch's tutorial", partial(BlitzNet, by_view=False), 32),
    _own("quickstart-pytorch", "Flower's tutorial", BlitzNet, 32),
    _own("hello-pt", "NVFLARE's tutorial", BlitzNet, 32),
    _own("LeNet of the blitz, greyscale", "PyTorch's tutorial", partial(BlitzNet, channels=1, side=4), 28, 1),
    _own("MNIST example", "PyTorch's examples", MnistNet, 28, 1),
    _own("quickstart on FashionMNIST", "PyTorch's tutorial", fashion_mlp, 28, 1),
    _own("ModerateCNN", "NVFLARE's examples", moderate_cnn, 32, width=4),
    _own("CNN of federated averaging", "Flower's baselines", fedavg_cnn, 28, 1, width=8),
    _unusual("no other trait"),
    _unusual("greyscale, not square", (1, 20, 32)),
    _unusual("several heads"),
    _unusual("unused head"),
    _unusual("layer used twice"),
    _unusual("loose parameters"),
    _unusual("frozen layers"),
    _unusual("weight normalisation"),
    _unusual("operations in place"),
    _unusual("recurrence"),
    _unusual("values read"),
)
"""All networks, in the order of the table."""
