"""FeatureControlManager: at which levels the whole cluster speaks (KIP-584).

A new cluster begins with the levels that its release is formatted with. Whether the controller
keeps eligible leader replicas is one of them, on by default since 4.1 (KIP-966).
"""

from collections.abc import Callable

from kafka_internals.controller.controller_result import Decided
from kafka_internals.controller.metadata_image import ELR_VERSION, METADATA_VERSION, MetadataImage
from kafka_internals.errors import UnsupportedVersionException
from kafka_internals.messages.metadata_records import FeatureLevelRecord, SupportedFeature

# fmt: off
BOOTSTRAP_FEATURES = {                           # what a cluster of 4.4 is formatted with
    METADATA_VERSION:      33,
    ELR_VERSION:            1,
    "group.version":        1,
    "share.version":        2,
    "streams.version":      1,
    "transaction.version":  2,
}
KRAFT_VERSION = "kraft.version"                  # the quorum's own, in no FeatureLevelRecord
SUPPORTED_FEATURES = (                           # what a broker of 4.4 understands
    SupportedFeature(METADATA_VERSION,       7, 33),
    SupportedFeature(ELR_VERSION,            0,  1),
    SupportedFeature("group.version",        0,  1),
    SupportedFeature("share.version",        0,  2),
    SupportedFeature("streams.version",      0,  1),
    SupportedFeature("transaction.version",  0,  2),
    SupportedFeature(KRAFT_VERSION,          0,  1),
)
# fmt: on


class FeatureControlManager:
    """`kraft_version` is the quorum's level."""

    def __init__(self, image: Callable[[], MetadataImage], kraft_version: int = 1) -> None:
        self._image, self._kraft_version = image, kraft_version

    def finalized(self) -> dict[str, int]:
        """Every feature that is in force, and its level."""
        return {**self._image().features, KRAFT_VERSION: self._kraft_version}

    def bootstrap_records(self, features: dict[str, int]) -> list[Decided]:
        """The levels with which an empty log begins; level 0 needs no record."""
        return [Decided(FeatureLevelRecord(name, level), "an empty log begins with the features "
                        "that the cluster was formatted with")
                for name, level in features.items() if level]

    def ensure_supported(self, features: tuple[SupportedFeature, ...]) -> None:
        """UnsupportedVersionException where a broker does not speak a level that is in force."""
        known = {one.name: one for one in features}
        for name, level in self.finalized().items():
            one = known.get(name) or SupportedFeature(name, 0, 0)
            if not one.min_supported_version <= level <= one.max_supported_version:
                raise UnsupportedVersionException(
                    f"Unable to register because the broker does not support finalized version "
                    f"{level} of {name}. The broker wants a version between "
                    f"{one.min_supported_version} and {one.max_supported_version}, inclusive.")
