"""Verdicts: for each row of a corpus whether it stays, why not, and its split."""

import dataclasses

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from instruct_imagen_data import schema, vectors
from instruct_imagen_data.annotators.roles import Duplicates
from instruct_imagen_data.stages.duplicates.evidence import CAPTION, EVIDENCE, FILE, VECTOR
from instruct_imagen_data.stages.duplicates.resolve import Evidence, Resolved

RESOLVED = pa.schema(  # a line for each row that there is evidence on, by row number
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("key", pa.binary(32), nullable=False),
        pa.field("evidence", pa.uint8()),  # null: the row survived
        pa.field("cosine", pa.float32()),
        pa.field("survivor", pa.binary(32), nullable=False),  # its own key, if it survived
        pa.field("component", pa.binary(32), nullable=False),
    ]
)
_SPLIT_SALT = "split"


def table_of(
    resolved: Resolved, evidence: Evidence, rows: vectors.Ints, packed: vectors.Bytes
) -> pa.Table:
    """RESOLVED of what the resolver found."""
    removed = resolved.group >= 0
    own = np.arange(len(rows))
    kind = np.append(evidence.kind, 0)[resolved.group]
    cosine = np.append(evidence.cosine, np.nan).astype(np.float32)[resolved.group]
    columns = [
        pa.array(rows),
        vectors.column_of(packed),
        pa.array(kind, mask=~removed),
        pa.array(cosine, mask=~removed | np.isnan(cosine)),
        vectors.column_of(packed[np.where(removed, resolved.survivor, own)]),
        vectors.column_of(packed[resolved.component]),
    ]
    return pa.table(columns, schema=RESOLVED)


def edges_of(resolved: Resolved, evidence: Evidence, packed: vectors.Bytes) -> pa.Table:
    """schema.Duplicate of all evidence, for the report: by key, then the other key."""
    best, other, group = resolved.stars
    order = np.lexsort(
        (*vectors.words(packed[other]).T[::-1], *vectors.words(packed[best]).T[::-1])
    )
    best, other, group = best[order], other[order], group[order]
    cosine, hamming = evidence.cosine[group], evidence.hamming[group]
    columns = [
        vectors.unpack_keys(packed[best]),
        vectors.unpack_keys(packed[other]),
        pa.array(EVIDENCE).take(pa.array(evidence.kind[group])),
        pa.array(cosine.astype(np.float64), mask=np.isnan(cosine)),
        pa.array(hamming.astype(np.int64), mask=hamming < 0),
    ]
    return pa.table(columns, schema=schema.schema_of(schema.Duplicate))


@dataclasses.dataclass(frozen=True)
class Judge:
    """Turns choices and what the resolver found into verdicts.

    Attributes:
      rule: Its cosines are the thresholds that verdicts name.
      validation_share: Share of components that are held out.
    """

    rule: Duplicates
    validation_share: float

    def splits(self, components: vectors.Bytes) -> pa.Array:
        """ "validation" or "train" for each component, by a draw from its smallest key."""
        share = min(self.validation_share, 1 - 2**-53) * 2.0**64
        held_out = vectors.draws(components, _SPLIT_SALT) < np.uint64(share)
        return pa.array(["train", "validation"]).take(pa.array(held_out.astype(np.int8)))

    def thresholds(self) -> npt.NDArray[np.float64]:
        """[len(EVIDENCE)] the cosine that each kind of evidence needs; NaN where none."""
        needed = np.full(len(EVIDENCE), np.nan)
        needed[VECTOR] = self.rule.cosine
        needed[[FILE, CAPTION]] = self.rule.confirm_cosine
        return needed

    def verdicts(
        self, rows: pa.Table, choices: pa.Table, resolved: pa.Table, first: int
    ) -> pa.Table:
        """schema.Verdict of consecutive rows.

        Args:
          rows: schema.Choice.
          choices: what `choose` found, the same rows.
          resolved: RESOLVED of those of the rows that there is evidence on.
          first: number of the first row.
        """
        known = resolved["row"].to_numpy() - first
        packed = vectors.bytes_of(rows["key"])
        components = packed.copy()
        components[known] = vectors.bytes_of(resolved["component"])
        removed = np.zeros(len(packed), bool)
        removed[known] = resolved["evidence"].is_valid().to_numpy(zero_copy_only=False)
        reason = pc.if_else(pa.array(removed), "duplicate", choices["reason"])
        keys = vectors.unpack_keys(packed)
        found = resolved.filter(resolved["evidence"].is_valid())
        evidence = found["evidence"].to_numpy()
        domain = pc.if_else(pc.equal(reason, "domain"), rows["domain"], "")

        def put(column: pa.ChunkedArray | pa.Array, values: pa.Array | pa.ChunkedArray) -> pa.Array:
            return pc.replace_with_mask(
                column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column,
                pa.array(removed),
                values,
            )

        cosine = found["cosine"].combine_chunks().cast(pa.float64())
        needed = pa.array(self.thresholds()[evidence], pa.float64(), from_pandas=True)
        columns = {
            "key": keys,
            "origin": rows["origin"],
            "kept": pc.equal(reason, ""),
            "reason": reason,
            "low_quantile": choices["low_quantile"],
            "low_floor": choices["low_floor"],
            "survivor": put(
                pa.repeat("", len(packed)),
                vectors.unpack_keys(vectors.bytes_of(found["survivor"])),
            ),
            "component": vectors.unpack_keys(components),
            "split": self.splits(components),
            "detail": put(domain, pa.array(EVIDENCE).take(pa.array(evidence))),
            "value": put(choices["value"], cosine),
            "threshold": put(choices["threshold"], needed),
        }
        return pa.table(columns, schema=schema.schema_of(schema.Verdict))
