"""The image source `none`, for imported members whose images are not at hand."""

from wsl.images.sources.base import SOURCES, ImageSource


@SOURCES.register("none")
class NoImages(ImageSource):
    """No images: only stages that read nothing but weights run, on members of `zoo.import`."""

    title = "a source without images"
    empty = True

    def names(self):
        return []

    def images(self, name, packing, seed):
        raise AssertionError("there are no classes")

    def find(self, wanted, minimum):
        return [], []
