"""Download a pretrained checkpoint once, as a file that jobs read."""

import logging
import shutil
from functools import partial
from pathlib import Path

from torch.hub import HASH_REGEX, download_url_to_file

from wsl.errors import ConfigError, DataError
from wsl.files.atomic import written_whole
from wsl.files.plain import file_digest

log = logging.getLogger(__name__)

HUB_NAMES = ("model.safetensors", "pytorch_model.bin")  # in timm's repositories; the first that exists is used


def fetch_checkpoint(checkpoint: str, out: str | Path) -> None:
    """Download the state dict of a pretrained network, ``torchvision:<weights>`` or ``timm:<model>``.

    Raises:
        ConfigError: there is no network connection, or the pretrained network does not exist.
        DataError: the file cannot be written.
    """
    source, _, name = checkpoint.partition(":")
    try:
        with written_whole(out) as temporary:
            if source == "torchvision":
                from torchvision.models import get_weight

                _from_url(get_weight(name).url, temporary)
            else:
                _from_timm(name, temporary)
    except DataError:  # from the disk
        raise
    except Exception as error:  # from the network, the hub, its cache, or unknown names
        raise ConfigError(
            f"zoo.backbone.checkpoint: {checkpoint} cannot be fetched ({error}); correct the name, or, without a "
            "network here, fetch its state dict elsewhere and name the file"
        ) from error
    log.info("fetched %s; zoo.backbone.sha256: %s", checkpoint, file_digest(out))


def _from_timm(name: str, out: Path) -> None:
    import timm
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    published = timm.create_model(name, pretrained=False).pretrained_cfg
    if not published.get("hf_hub_id"):
        if not published.get("url"):
            raise ValueError("timm has no weights of it")
        return _from_url(published["url"], out)
    repository, _, revision = published["hf_hub_id"].partition("@")
    first, second = [published["hf_hub_filename"]] * 2 if published.get("hf_hub_filename") else HUB_NAMES
    download = partial(hf_hub_download, repository, revision=revision or None)
    try:
        path = download(first)
    except EntryNotFoundError:
        path = download(second)
    shutil.copyfile(path, out)


def _from_url(url: str, out: Path) -> None:
    # Names of files hold the first digits of the checksum, as in resnet-f37072fd.pth.
    digits = HASH_REGEX.search(url.rpartition("/")[2])
    download_url_to_file(url, str(out), hash_prefix=digits[1] if digits else None, progress=False)
