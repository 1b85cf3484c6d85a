"""Raw pairs in, measured pictures out: each picture is decoded once for all that looks at it.

Decode, validate, normalise and identify; score the quality; embed picture and caption; route to a
domain. Nothing is dropped for its quality here: scores are kept, so that limits can change without
paying for inference again (paper, section 3.2 and appendix A.3.1, up to the clustering).
"""

import dataclasses
import functools
from collections.abc import Sequence

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.pvalue import PCollection

from instruct_imagen_data import images, keys, schema, shards
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.annotators.domains import route, sentence_vectors
from instruct_imagen_data.annotators.model_set import ModelSet, Networks
from instruct_imagen_data.schema import RawPair, RejectRow
from instruct_imagen_data.stages.annotate import AnnotateBlocks
from instruct_imagen_data.stages.blocks import Block, Reject, sift
from instruct_imagen_data.stages.pictures import describe_pair, open_pair, start_of

STAGE = "corpus"


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a worker needs to measure: a model set and how to run it.

    Attributes:
      models: Name of a model set, or path of a TOML.
      precision: fp32, bf16 or fp16: resolved at launch, never "auto".
      device: cpu or cuda.
    """

    models: str
    precision: str
    device: str


@dataclasses.dataclass  # not slotted: Beam holds it by a weak reference
class Instruments:
    """The loaded networks and what is computed from them once."""

    models: ModelSet
    networks: Networks
    domain_vectors: npt.NDArray[np.float32]  # [domains + reject classes, d], unit length


def load(setup: Setup) -> Instruments:
    """Loads the networks of a model set. One thread each: the workers are the parallelism."""
    import torch

    torch.set_num_threads(1)
    models = model_set.load_set(setup.models)
    networks = model_set.load_networks(models, setup.precision, setup.device)
    classes = (*models.domains, *models.rejects)
    return Instruments(models, networks, sentence_vectors(classes, networks.image_text.texts))


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """One decoded pair: what is stored of it and the model-sized arrays; no full-size pixels."""

    image: schema.Image
    for_quality: npt.NDArray[np.uint8]
    for_clip: npt.NDArray[np.uint8]


def look(pair: RawPair, networks: Networks, limits: images.Limits) -> Look:
    """A pair's normalised picture, its identity, and what the networks want to see of it.

    Raises:
      Reject: one of images.REASONS, or `empty_caption`.
    """
    image, picture = open_pair(pair, limits)
    if not pair.caption.strip():
        raise Reject("empty_caption")
    quality, clip = networks.quality.prepare(picture.rgb), networks.image_text.prepare(picture.rgb)
    return Look(image, quality, clip)


def _routing(vectors: npt.NDArray[np.float32], instruments: Instruments) -> dict[str, pa.Array]:
    """The domain columns of Score for unit image vectors [n, d]; reject classes veto."""
    models = instruments.models
    names = [one.name for one in (*models.domains, *models.rejects)]
    best = route(vectors, instruments.domain_vectors, models.image_text.logit_scale)
    accepted = (
        (best.probability >= models.image_text.min_probability)
        & (best.margin >= models.image_text.min_margin)
        & (best.index < len(models.domains))
    )
    return {
        "domain": [names[i] for i in best.index],
        "domain_probability": best.probability,
        "domain_margin": best.margin,
        "domain_accepted": accepted,
    }


def _quality(looks: Sequence[Look], instruments: Instruments) -> dict[str, pa.Array]:
    """The quality columns of Score; on the network's scale, turned so that higher is better."""
    found = instruments.networks.quality([one.for_quality for one in looks])
    bins = found.distribution
    return {
        "quality": instruments.models.quality.quality(found.value),
        "quality_deviation": found.deviation,
        "distribution": [[]] * len(looks) if bins is None else list(bins),
    }


def _identity(looks: Sequence[Look]) -> dict[str, list[str] | list[int] | list[bytes]]:
    """The columns of Score that name a picture or may be shared by its duplicates."""
    pictures = [one.image for one in looks]
    return {
        "key": [one.key for one in pictures],
        "origin": [one.origin for one in pictures],
        "bytes_id": [keys.id64(one.sha256) for one in pictures],
        "url_id": [keys.id64(keys.normalise_url(one.url)) for one in pictures],
        "caption_id": [keys.id64(keys.normalise_caption(one.caption)) for one in pictures],
        "file_id": [keys.id64(keys.site_file(one.url)) for one in pictures],
        "phash": [one.phash for one in pictures],
    }


def measure_block(block: Block, instruments: Instruments, limits: images.Limits) -> Block:
    """RawPair rows in; Image, Score and Embedding rows out, the same pictures in the same order."""
    networks = instruments.networks
    pairs = (RawPair(**row) for row in block.tables["pairs"].to_pylist())
    seen = functools.partial(look, networks=networks, limits=limits)
    looks, rejected = sift(pairs, seen, functools.partial(describe_pair, stage=STAGE))
    vectors = networks.image_text.images([one.for_clip for one in looks])
    texts = networks.image_text.texts([start_of(one.image.caption) for one in looks])
    columns = {
        **_identity(looks),
        **_quality(looks, instruments),
        **_routing(vectors, instruments),
        "similarity": np.einsum("nd,nd->n", vectors, texts),
    }
    scores = pa.table(columns, schema=schema.schema_of(schema.Score))
    embeddings = pa.table(
        [scores["key"], schema.vector_column(vectors), schema.vector_column(texts)],
        schema=schema.schema_of(schema.Embedding, networks.image_text.dimension),
    )
    tables = {
        "images": schema.table_of(schema.Image, [one.image for one in looks]),
        "scores": scores,
        "embeddings": embeddings,
        shards.REJECTS: pa.concat_tables([block.rejects, schema.table_of(RejectRow, rejected)]),
    }
    return Block(block.part, block.rows_in, block.last, tables)


@dataclasses.dataclass(eq=False)
class Measure(beam.PTransform):
    """Blocks of `pairs` in; blocks of `images`, `scores`, `embeddings` out, in one fused pass.

    Counters: corpus/{kept, empty_caption, REASON of images}.
    """

    setup: Setup
    limits: images.Limits

    def expand(self, blocks: PCollection[Block]) -> PCollection[Block]:
        return blocks | AnnotateBlocks(
            STAGE,
            functools.partial(load, self.setup),
            functools.partial(measure_block, limits=self.limits),
        )
