"""Images that the config names, in the workflow: fetched once for all runs, before classes are packed."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("braceexpand", reason="needs the package braceexpand, of the extra `data`")


def write_shards(folder, count=60, classes=5):
    """A tar file of small images, as WebDataset has them."""
    with tarfile.open(folder / "x.tar", "w") as tar:
        for number in range(count):
            file = io.BytesIO()
            pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(file, "png")
            for ending, content in (("png", file.getvalue()), ("cls", str(number % classes).encode())):
                member = tarfile.TarInfo(f"{number}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def test_shards_are_indexed_once(plain_snakemake, tiny_config, change, count_jobs, tmp_path):
    images = {"source": "wds:x.tar", "size": 8, "minimum": 5, "classes_per_job": 5}
    config = change(tiny_config, images={**images, "classes": [str(number) for number in range(5)]})
    write_shards(tmp_path)
    done = plain_snakemake(config, "--cores", "1", "results/tiny/images/complete")
    assert done.returncode == 0, done.stdout
    jobs = {"fetch_images_0": 1, "pack_classes_0": 1, "class_table": 1}
    assert count_jobs(done.stdout) == jobs
    other = plain_snakemake({**config, "images": images, "run": "other"}, "--dry-run", "results/other/images/complete")
    assert count_jobs(other.stdout) == {"pack_classes_0": 1, "class_table": 1}  # the index knows the classes now
    write_shards(tmp_path, count=50)
    again = plain_snakemake(config, "--dry-run", "results/tiny/images/complete")
    assert count_jobs(again.stdout) == jobs
