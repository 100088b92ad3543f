import pytest

from gapkit.encoders.names import PRESETS, ModelName, list_models, parse_model_name
from gapkit.errors import InputError


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("clip-vit-b16", ModelName("tag", "ViT-B-16-quickgelu", "openai")),
        ("ViT-L-14-quickgelu/openai", ModelName("tag", "ViT-L-14-quickgelu", "openai")),
        ("RN50/random@7", ModelName("random", "RN50", seed=7)),
        ("miniclip-t0.01", ModelName("miniclip", "t0.01")),
        ("miniclip-random@2", ModelName("miniclip", "random", seed=2)),
        ("hf-hub:timm/ViT-B-16-SigLIP", ModelName("hub", "timm/ViT-B-16-SigLIP")),
        ("local-dir:./my model", ModelName("folder", "./my model")),
        ("local-dir:a#epoch_3.pt", ModelName("folder", "a#epoch_3.pt")),
        ("hf-hub:a/b@v1.0", ModelName("hub", "a/b", tag="v1.0")),
        ("hf-hub:a/b@refs/pr/1", ModelName("hub", "a/b", tag="refs/pr/1")),
        (" ViT-B-32/laion2b-s34b-b79k ", ModelName("tag", "ViT-B-32", "laion2b-s34b-b79k")),
    ],
)
def test_names_are_understood(name, parsed):
    assert parse_model_name(name) == parsed


def test_presets_are_published_weights_with_the_activation_they_were_trained_with():
    from gapkit._openclip import open_clip

    library = open_clip()
    for preset in PRESETS.values():
        architecture, tag = preset.source.split("/")
        trained = library.get_pretrained_cfg(architecture, tag)
        assert trained["hf_hub"]
        built = library.get_model_config(architecture)
        assert bool(trained.get("quick_gelu")) == bool(built.get("quick_gelu")), preset


def test_every_published_model_of_openclip_is_a_name_and_has_a_repository():
    from gapkit._openclip import open_clip

    library = open_clip()
    known = {"url", "hf_hub", "mean", "std", "interpolation", "resize_mode", "quick_gelu"}
    for architecture, tag in library.list_pretrained():
        assert parse_model_name(f"{architecture}/{tag}").kind == "tag"
        facts = library.get_pretrained_cfg(architecture, tag)
        assert facts["hf_hub"].count("/") == 2, "OWNER/REPOSITORY/ or OWNER/REPOSITORY/FILE"
        assert set(facts) <= known, "a setting that load_model does not pass on"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-16-quickgelu/opena", "has no weights 'opena'; write ViT-B-16-quickgelu/ and one of openai"),
        ("ViT-B-16", "has no weights ''"),
        ("VIT-B16/openai", "no model .*did you mean .*ViT-B-16"),
        ("clip-vit-b-16", "did you mean .*clip-vit-b16"),
        ("miniclip-wid", "no mini-CLIP 'wid'; there are wide"),
        ("miniclip-wide@x", "must be a seed"),
        ("miniclip-wide@-1", "must be a seed"),
        (f"RN50/random@{10**30}", "must be a seed"),
        ("RN50/random@" + "9" * 5000, "must be a seed"),
        ("miniclip-wide@" + "9" * 5000, "must be a seed"),
        ("9" * 5000, "no model"),
        ("hf-hub:", "lacks its OWNER/REPOSITORY"),
        ("hf-hub:only-one", "lacks its OWNER/REPOSITORY"),
        ("hf-hub:a/../../b", "lacks its OWNER/REPOSITORY"),
        ("hf-hub:a/b@", "must be a revision"),
        ("local-dir:", "lacks its path"),
        (
            "openai/clip-vit-base-patch32",
            "name of Hugging Face's; the nearest .* is ViT-B-32-quickgelu/openai;",
        ),
        ("openai/clip-vit-large-patch14-336", "nearest .* is ViT-L-14-336-quickgelu/openai;"),
        ("google/siglip-base-patch16-384", "nearest .* is ViT-B-16-SigLIP-384/webli;"),
        ("google/siglip-so400m-patch14-384", "nearest .* is ViT-SO400M-14-SigLIP-384/webli;"),
        ("google/siglip2-large-patch16-256", "nearest .* is ViT-L-16-SigLIP2-256/webli;"),
        ("facebook/metaclip-b32-400m", "nearest .* is ViT-B-32-quickgelu/metaclip_400m;"),
        ("hf-hub:openai/clip-vit-base-patch16", "OpenCLIP does not read; write ViT-B-16-quickgelu/openai$"),
        (
            "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
            "repository of the hub; write ViT-B-32/laion2b_s34b_b79k, or hf-hub",
        ),
        ("", "no model ''"),
    ],
)
def test_unknown_names_bring_the_nearest_known(name, message):
    with pytest.raises(InputError, match=message):
        parse_model_name(name)


def test_short_names_are_the_family_and_the_presets():
    assert list_models()[0] == "miniclip-wide"
    assert list_models()[-1] in PRESETS
