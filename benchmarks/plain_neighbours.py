"""The steps of `neighbours` as one would write them in a script: numpy, FAISS, one process, all in
memory. The peer that the job is timed against: same steps, same numbers of clusters, rounds and
training points, the same clusters searched for each row.
"""

import sys
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

QUANTILE, DUPLICATE, CONFIRM, BITS = 0.3, 0.95, 0.9, 54
CELL_ROWS, ROUNDS, POINTS = 16 << 10, 10, 64
COLUMNS = ["key", "quality", "domain", "domain_accepted", "phash"]
IDS = ["bytes_id", "url_id", "caption_id", "file_id"]


def kmeans(x: np.ndarray, k: int) -> np.ndarray:
    """Centroids [k, d]."""
    if k == 1:
        mean = x.mean(axis=0, keepdims=True)
        return mean / np.linalg.norm(mean)
    model = faiss.Kmeans(
        x.shape[1],
        k,
        niter=ROUNDS,
        spherical=True,
        seed=0,
        min_points_per_centroid=1,
        max_points_per_centroid=POINTS,
    )
    model.train(x)
    return model.centroids


def nearest(x: np.ndarray, centroids: np.ndarray, count: int) -> np.ndarray:
    """[n, count] nearest centroids."""
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(centroids)
    return index.search(x, min(count, len(centroids)))[1]


def probing(probes: np.ndarray, cluster: int) -> np.ndarray:
    """Rows that search a cluster."""
    return np.flatnonzero((probes == cluster).any(axis=1))


def find_pairs(x, rows, probes, scores, common):
    """Pairs (row, row) of duplicates in a cell."""
    pairs = set()
    hashes = scores["phash"]
    for cluster in range(int(probes.max()) + 1):
        members = np.flatnonzero(probes[:, 0] == cluster)
        if not len(members):
            continue
        queries = probing(probes[:, :3], cluster)
        index = faiss.IndexFlatIP(x.shape[1])
        index.add(x[members])
        limits, dots, found = index.range_search(x[queries], min(DUPLICATE, CONFIRM))
        one = rows[queries][np.repeat(np.arange(len(queries)), np.diff(limits).astype(int))]
        other = rows[members[found]]
        apart = one != other
        one, other, dots = one[apart], other[apart], dots[apart]
        bits = np.bitwise_count(hashes[one] ^ hashes[other]).sum(axis=1)
        same = (dots >= DUPLICATE) & (bits <= BITS)
        for name in ("caption_id", "file_id"):
            ids = scores[name]
            equal = (ids[one] == ids[other]) & (ids[one] != 0) & (dots >= CONFIRM)
            same |= equal & ~np.isin(ids[one], common) if name == "caption_id" else equal
        low, high = np.minimum(one, other)[same], np.maximum(one, other)[same]
        pairs.update(zip(low.tolist(), high.tolist(), strict=True))
    return pairs


def shared(ids, chosen):
    """Lists of chosen rows that share an id."""
    rows = chosen[ids[chosen] != 0]
    order = rows[np.argsort(ids[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
    groups = np.split(order, starts[1:])
    return [group.tolist() for group in groups if len(group) > 1]


def resolve(groups, scores):
    """Rows removed, by one greedy pass from the best quality down."""
    of = {}
    for number, group in enumerate(groups):
        for row in group:
            of.setdefault(row, []).append(number)
    quality, keys = scores["quality"], scores["key"]
    owner, removed = {}, {}
    for row in sorted(of, key=lambda row: (-quality[row], keys[row])):
        taken = next((owner[g] for g in of[row] if g in owner), None)
        if taken is not None:
            removed[row] = taken
        else:
            owner.update(dict.fromkeys(of[row], row))
    return removed


def mine(x, probes, lower):
    """Neighbourhoods of a cell and the lists they come from."""
    n = len(x)
    lists = np.full((n, probes.shape[1], 11), -1)
    near = np.full((n, probes.shape[1], 11), -np.inf, np.float32)
    order = []
    for cluster in range(int(probes.max(initial=-1)) + 1):
        members = np.flatnonzero(probes[:, 0] == cluster)
        if not len(members):
            continue
        queries = probing(probes, cluster)
        slot = (probes[queries] == cluster).argmax(axis=1)
        index = faiss.IndexFlatIP(x.shape[1])
        index.add(x[members])
        dots, found = index.search(x[queries], min(11, len(members)))
        lists[queries, slot, : found.shape[1]] = members[found]
        near[queries, slot, : found.shape[1]] = dots
        medoid = members[(x[members] @ x[members].sum(axis=0)).argmax()]
        order += [medoid, *np.random.default_rng(cluster).permutation(members[members != medoid])]
    lists, near = lists.reshape(n, -1), near.reshape(n, -1)
    near[lists == np.arange(n)[:, None]] = -np.inf
    best = np.argsort(-near, axis=1)[:, :10]
    lists, near = np.take_along_axis(lists, best, 1), np.take_along_axis(near, best, 1)
    inside = (near >= lower) & (near < DUPLICATE)
    used = np.zeros(n, bool)
    found, tried = [], []
    for seed in order:
        if used[seed]:
            continue
        tried.append(seed)
        free = [row for row in lists[seed][inside[seed]] if not used[row]]
        if len(free) < 4:
            continue
        chosen = [seed]
        for row in free:
            if (x[chosen] @ x[row]).max() < DUPLICATE:
                chosen.append(row)
                if len(chosen) == 5:
                    found.append(chosen)
                    used[chosen] = True
                    break
    return found, np.array(tried, int), lists, near


def band(x, clusters):
    """Lower edge of the context band of a domain."""
    rows = np.random.default_rng(0).permutation(len(x))[:1024]
    one, other = np.triu_indices(len(rows), 1)
    apart = clusters[rows[one]] != clusters[rows[other]]
    dots = (x[rows] @ x[rows].T)[one[apart], other[apart]]
    return np.quantile(dots, 0.995) if len(dots) else 0.0


def read(corpus: Path):
    """(scores by column, vectors float16 [n, d]), a part at a time."""
    scores, found = [], []
    for path in sorted((corpus / "scores").iterdir()):
        scores.append(pq.read_table(path, columns=COLUMNS + IDS, use_threads=False))
        table = pq.read_table(
            corpus / "embeddings" / path.name, columns=["image_vector"], use_threads=False
        )
        column = table["image_vector"].combine_chunks()
        found.append(column.flatten().to_numpy().reshape(len(column), -1))
    table = pa.concat_tables(scores)
    columns = {name: table[name].to_numpy() for name in ("quality", *IDS)}
    columns |= {name: table[name].to_pylist() for name in ("key", "domain")}
    columns["accepted"] = table["domain_accepted"].to_numpy()
    columns["phash"] = np.array(table["phash"].to_pylist()).view(np.uint8).reshape(-1, 32)
    return columns, np.concatenate(found)


def main(corpus: Path, output: Path) -> None:
    """All steps but the gathering of pictures; writes verdicts, candidates and neighbourhoods."""
    scores, halves = read(corpus)
    rows = len(halves)
    keys, domains = scores["key"], np.array(scores["domain"])
    low = np.zeros(rows, bool)
    low[np.lexsort((keys, scores["quality"]))[: int(QUANTILE * rows)]] = True
    chosen = np.flatnonzero(~low & scores["accepted"])
    captions = np.unique(np.stack([scores["caption_id"], scores["bytes_id"]]), axis=1)[0]
    common, images = np.unique(captions, return_counts=True)
    common = common[images > 3]
    groups = [g for name in ("bytes_id", "url_id") for g in shared(scores[name], chosen)]
    cells = []
    bands = {}
    for domain in np.unique(domains[chosen]):
        inside = chosen[domains[chosen] == domain]
        wanted = 50 if len(inside) < 10_000 else 200
        vectors = halves[inside].astype(np.float32)
        regions = kmeans(vectors, -(-len(inside) // CELL_ROWS))
        place = nearest(vectors, regions, 1)[:, 0]
        clusters = np.zeros(len(inside), int)
        for region in range(len(regions)):
            own = np.flatnonzero(place == region)
            if not len(own):
                continue
            x = vectors[own]
            probes = nearest(x, kmeans(x, -(-len(own) // wanted)), 4)
            clusters[own] = probes[:, 0] + 10_000 * region
            groups += find_pairs(x, inside[own], probes, scores, common)
            cells.append((domain, inside[own], probes))
        bands[domain] = band(vectors, clusters)
    removed = resolve(groups, scores)
    gone = np.zeros(rows, bool)
    gone[list(removed)] = True
    found, lists = [], []
    for domain, members, probed in cells:
        kept = ~gone[members]
        inside, probes = members[kept], probed[kept]
        mined, tried, near, dots = mine(halves[inside].astype(np.float32), probes, bands[domain])
        found += [[keys[inside[row]] for row in one] for one in mined]
        lists += [
            {
                "key": keys[inside[seed]],
                "neighbours": [keys[inside[row]] for row in near[seed] if row >= 0],
                "similarities": dots[seed][near[seed] >= 0],
            }
            for seed in tried
        ]
    output.mkdir(parents=True)
    survivors = [keys[removed[row]] if row in removed else "" for row in range(rows)]
    kept = np.zeros(rows, bool)
    kept[chosen] = True
    verdicts = pa.table(
        {"key": keys, "kept": kept & ~gone, "low_quantile": low, "survivor": survivors}
    )
    pq.write_table(verdicts, output / "verdicts.parquet")
    pq.write_table(pa.Table.from_pylist(lists), output / "candidates.parquet")
    pq.write_table(pa.table({"members": found}), output / "neighbourhoods.parquet")
    print(f"{len(found)} neighbourhoods, {len(removed)} duplicates")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
