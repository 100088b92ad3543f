# ruff: noqa
# Answers to assignment 5, one a cell: what is wrong must lose the task's points, what is right must earn them.

# %% wrong a5-load: images and texts exchanged
def load():
    pairs = gapkit.load_embeddings(DATASET)
    return DATASET, pairs.images.astype(float), pairs.texts.astype(float), pairs.labels[: len(pairs.texts)]


# %% wrong a5-load: mixed-up labels
def load():
    pairs = gapkit.load_embeddings(DATASET)
    return (
        DATASET,
        pairs.texts.astype(float),
        pairs.images.astype(float),
        (pairs.labels + 1) % len(pairs.texts),
    )


# %% wrong a5-load: labels counted from 1
def load():
    pairs = gapkit.load_embeddings(DATASET)
    return DATASET, pairs.texts.astype(float), pairs.images.astype(float), pairs.labels + 1


# %% wrong a5-load: made-up numbers
def load():
    rng = np.random.default_rng(0)
    texts, images = rng.normal(size=(10, 64)), rng.normal(size=(200, 64))
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (texts, images)]
    return "my model", *unit, rng.integers(10, size=200)


# %% wrong a5-load: rows of other lengths
def load():
    pairs = gapkit.load_embeddings(DATASET)
    return DATASET, 3 * pairs.texts.astype(float), 2 * pairs.images.astype(float), pairs.labels


# %% wrong a5-load: the lessons' model
def load():
    pairs = gapkit.load_embeddings("miniclip-wide/scenes100")
    return "miniclip-wide/scenes100", pairs.texts.astype(float), pairs.images.astype(float), pairs.labels


# %% wrong a5-load: ten images
def load():
    pairs = gapkit.load_embeddings(DATASET)
    return DATASET, pairs.texts.astype(float), pairs.images[:10].astype(float), pairs.labels[:10]


# %% wrong a5-load: one text for each image
def load():
    pairs = gapkit.load_embeddings(DATASET)
    texts, images = pairs.matched()
    return DATASET, texts.astype(float), images.astype(float), np.arange(len(images))


# %% right a5-load: another model, all images, in torch
def load():
    import torch

    pairs = gapkit.load_embeddings("miniclip-wide/digits10")
    texts, images = (
        torch.nn.functional.normalize(torch.as_tensor(z).double(), dim=1) for z in (pairs.texts, pairs.images)
    )
    return "wide mini-CLIP, digits", texts, images, torch.as_tensor(pairs.labels)


# %% right a5-load: lists
def load():
    pairs = gapkit.load_embeddings(DATASET)
    return DATASET, pairs.texts.astype(float), pairs.images[:60].astype(float), pairs.labels[:60].tolist()


# %% wrong a5-interval: before − after
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(seed)
    gain = before - after
    means = gain[rng.integers(len(gain), size=(resamples, len(gain)))].mean(1)
    return tuple(np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]))


# %% wrong a5-interval: not paired
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(seed)
    n = len(before)
    means = after[rng.integers(n, size=(resamples, n))].mean(1) - before[
        rng.integers(n, size=(resamples, n))
    ].mean(1)
    return tuple(np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]))


# %% wrong a5-interval: without replacement
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(seed)
    means = [rng.permutation(after - before).mean() for _ in range(resamples)]
    return tuple(np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]))


# %% wrong a5-interval: quantiles of single queries
def paired_interval(before, after, resamples, confidence, seed):
    return tuple(np.quantile(after - before, [(1 - confidence) / 2, (1 + confidence) / 2]))


# %% wrong a5-interval: both tails get all that is left
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(seed)
    gain = after - before
    means = gain[rng.integers(len(gain), size=(resamples, len(gain)))].mean(1)
    return tuple(np.quantile(means, [1 - confidence, confidence]))


# %% wrong a5-interval: always 95 %
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(seed)
    gain = after - before
    means = gain[rng.integers(len(gain), size=(resamples, len(gain)))].mean(1)
    return tuple(np.quantile(means, [0.025, 0.975]))


# %% wrong a5-interval: the seed is ignored
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng()
    gain = after - before
    means = gain[rng.integers(len(gain), size=(resamples, len(gain)))].mean(1)
    return tuple(np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]))


# %% wrong a5-interval: medians
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(seed)
    gain = after - before
    medians = np.median(gain[rng.integers(len(gain), size=(resamples, len(gain)))], axis=1)
    return tuple(np.quantile(medians, [(1 - confidence) / 2, (1 + confidence) / 2]))


# %% wrong a5-interval: half of the queries in each resample
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(seed)
    gain = after - before
    means = gain[rng.integers(len(gain), size=(resamples, len(gain) // 2))].mean(1)
    return tuple(np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]))


# %% right a5-interval: a loop and sorted means
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(resamples):
        rows = rng.choice(len(before), size=len(before), replace=True)
        means.append(float(after[rows].mean() - before[rows].mean()))
    means.sort()
    cut = int(round((1 - confidence) / 2 * resamples))
    return means[cut], means[-1 - cut]


# %% right a5-interval: torch
def paired_interval(before, after, resamples, confidence, seed):
    import torch

    gain = torch.as_tensor(after) - torch.as_tensor(before)
    rows = torch.randint(len(gain), (resamples, len(gain)), generator=torch.Generator().manual_seed(seed))
    tail = (1 - confidence) / 2
    return tuple(torch.quantile(gain[rows].mean(1), torch.tensor([tail, 1 - tail], dtype=torch.float64)))


# %% right a5-interval: scipy
def paired_interval(before, after, resamples, confidence, seed):
    from scipy.stats import bootstrap

    found = bootstrap(
        (after - before,),
        np.mean,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return found.low, found.high


# %% wrong a5-verdict: against zero
def verdict(low, high, smallest):
    if not (np.isfinite(low) and np.isfinite(high)):
        return "not decidable"
    return "holds" if low > 0 else "does not hold" if high < 0 else "not decidable"


# %% wrong a5-verdict: the middle decides
def verdict(low, high, smallest):
    if not (np.isfinite(low) and np.isfinite(high)):
        return "not decidable"
    return "holds" if (low + high) / 2 >= smallest else "does not hold"


# %% wrong a5-verdict: always holds
def verdict(low, high, smallest):
    return "holds"


# %% wrong a5-verdict: no effect is taken for undecided
def verdict(low, high, smallest):
    return "holds" if np.isfinite(high) and low >= smallest else "not decidable"


# %% wrong a5-verdict: strictly above
def verdict(low, high, smallest):
    if not (np.isfinite(low) and np.isfinite(high)):
        return "not decidable"
    return "holds" if low > smallest else "does not hold" if high < smallest else "not decidable"


# %% wrong a5-verdict: at most the smallest effect
def verdict(low, high, smallest):
    if not (np.isfinite(low) and np.isfinite(high)):
        return "not decidable"
    return "holds" if low >= smallest else "does not hold" if high <= smallest else "not decidable"


# %% wrong a5-verdict: NaN
def verdict(low, high, smallest):
    return "not decidable" if low < smallest <= high else "holds" if low >= smallest else "does not hold"


# %% wrong a5-verdict: a truth value
def verdict(low, high, smallest):
    return bool(low >= smallest)


# %% right a5-verdict: math, other order
def verdict(low, high, smallest):
    import math

    if all(map(math.isfinite, (low, high))):
        if high < smallest:
            return "does not hold"
        if min(low, high) >= smallest:
            return "holds"
    return "not decidable"


# %% wrong a5-experiment: the raw shift
def experiment(texts, images, alphas, sigma, draws, seed):
    def answers(gallery):
        return ((gallery**2).sum(1) - 2 * images @ gallery.T).argmin(1)

    shift, rows = images.mean(0) - texts.mean(0), []
    for alpha in alphas:
        moved, rng = texts + alpha * shift, np.random.default_rng(seed)
        kept = [answers(moved + sigma * rng.normal(size=texts.shape)) == answers(moved) for _ in range(draws)]
        rows.append(
            {
                "alpha": alpha,
                "agreement": np.mean(answers(moved) == answers(texts)),
                "robustness": np.mean(kept, axis=0),
            }
        )
    return rows


# %% wrong a5-experiment: fitted again on each noisy gallery
def experiment(texts, images, alphas, sigma, draws, seed):
    def answers(gallery):
        return ((gallery**2).sum(1) - 2 * images @ gallery.T).argmin(1)

    rows = []
    for alpha in alphas:
        rng, kept = np.random.default_rng(seed), []
        for _ in range(draws):
            noisy = texts + sigma * rng.normal(size=texts.shape)
            kept.append(
                answers(gapkit.GapCloser(alpha=alpha).fit(noisy, images).transform(noisy)) == answers(texts)
            )
        rows.append({"alpha": alpha, "agreement": 1.0, "robustness": np.mean(kept, axis=0)})
    return rows


# %% wrong a5-experiment: noise on the queries
def experiment(texts, images, alphas, sigma, draws, seed):
    shift, rows = gapkit.GapCloser().fit(texts, images).shift_, []
    for alpha in alphas:
        moved, rng = texts + alpha * shift, np.random.default_rng(seed)
        clean = ((moved**2).sum(1) - 2 * images @ moved.T).argmin(1)
        kept = [
            ((moved**2).sum(1) - 2 * (images + sigma * rng.normal(size=images.shape)) @ moved.T).argmin(1)
            == clean
            for _ in range(draws)
        ]
        rows.append({"alpha": alpha, "agreement": 1.0, "robustness": np.mean(kept, axis=0)})
    return rows


# %% wrong a5-experiment: α is ignored
def experiment(texts, images, alphas, sigma, draws, seed):
    from gapkit.robustness import robustness

    moved = gapkit.GapCloser().fit(texts, images).transform(texts)
    r = robustness(images, moved, sigma=sigma, metric="euclidean", noise_on="gallery")
    return [{"alpha": alpha, "agreement": 1.0, "robustness": r} for alpha in alphas]


# %% wrong a5-experiment: σ² for σ
def experiment(texts, images, alphas, sigma, draws, seed):
    from gapkit.robustness import robustness

    rows = []
    for alpha in alphas:
        moved = gapkit.GapCloser(alpha=alpha).fit(texts, images).transform(texts)
        r = robustness(images, moved, sigma=sigma**2, metric="euclidean", noise_on="gallery")
        rows.append({"alpha": alpha, "agreement": 1.0, "robustness": r})
    return rows


# %% wrong a5-experiment: dot products
def experiment(texts, images, alphas, sigma, draws, seed):
    from gapkit.robustness import robustness

    rows = []
    for alpha in alphas:
        moved = gapkit.GapCloser(alpha=alpha).fit(texts, images).transform(texts)
        r = robustness(images, moved, sigma=sigma, metric="dot", noise_on="gallery")
        rows.append({"alpha": alpha, "agreement": 1.0, "robustness": r})
    return rows


# %% wrong a5-experiment: the mean over the queries
def experiment(texts, images, alphas, sigma, draws, seed):
    from gapkit.robustness import robustness

    rows = []
    for alpha in alphas:
        moved = gapkit.GapCloser(alpha=alpha).fit(texts, images).transform(texts)
        r = robustness(images, moved, sigma=sigma, metric="euclidean", noise_on="gallery")
        rows.append({"alpha": alpha, "agreement": 1.0, "robustness": r.mean()})
    return rows


# %% wrong a5-experiment: normalised after the shift
def experiment(texts, images, alphas, sigma, draws, seed):
    from gapkit.robustness import robustness

    rows = []
    for alpha in alphas:
        moved = gapkit.normalise_rows(gapkit.GapCloser(alpha=alpha).fit(texts, images).transform(texts))
        r = robustness(images, moved, sigma=sigma, metric="euclidean", noise_on="gallery")
        rows.append({"alpha": alpha, "agreement": 1.0, "robustness": r})
    return rows


# %% right a5-experiment: gapkit's exact robustness
def experiment(texts, images, alphas, sigma, draws, seed):
    from gapkit.robustness import robustness
    from gapkit.tasks import agreement, nearest

    rows = []
    for alpha in alphas:
        moved = gapkit.GapCloser(alpha=alpha).fit(texts, images).transform(texts)
        same = agreement(nearest(images, texts), nearest(images, moved))
        r = robustness(images, moved, sigma=sigma, metric="euclidean", noise_on="gallery")
        rows.append({"alpha": float(alpha), "agreement": same, "robustness": r})
    return rows


# %% right a5-experiment: written out in torch, queries moved
def experiment(texts, images, alphas, sigma, draws, seed):
    import torch

    x, y = torch.as_tensor(texts), torch.as_tensor(images)
    c = x - x.mean(0)
    g = y.mean(0) - x.mean(0)
    shift = g - torch.linalg.pinv(c, rtol=1e-10) @ (c @ g)
    untouched, rows = torch.cdist(y, x).argmin(1), []
    for alpha in alphas:
        generator = torch.Generator().manual_seed(seed)
        clean, kept = torch.cdist(y - alpha * shift, x).argmin(1), 0.0
        for _ in range(draws):
            noisy = x + sigma * torch.randn(x.shape, generator=generator, dtype=x.dtype)
            kept = kept + (torch.cdist(y - alpha * shift, noisy).argmin(1) == clean).double()
        rows.append(
            {"alpha": alpha, "agreement": (clean == untouched).double().mean(), "robustness": kept / draws}
        )
    return rows


# %% wrong a5-interval: always the same seed
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(0)
    gain = after - before
    means = gain[rng.integers(len(gain), size=(resamples, len(gain)))].mean(1)
    return tuple(np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]))


# %% wrong a5-experiment: other noise for each α
def experiment(texts, images, alphas, sigma, draws, seed):
    def answers(gallery):
        return ((gallery**2).sum(1) - 2 * images @ gallery.T).argmin(1)

    shift, rows = gapkit.GapCloser().fit(texts, images).shift_, []
    rng = np.random.default_rng(seed)
    for alpha in alphas:
        moved = texts + alpha * shift
        kept = [answers(moved + sigma * rng.normal(size=texts.shape)) == answers(moved) for _ in range(draws)]
        rows.append({"alpha": alpha, "agreement": 1.0, "robustness": np.mean(kept, axis=0)})
    return rows


# %% wrong a5-experiment: the seed is ignored
def experiment(texts, images, alphas, sigma, draws, seed):
    def answers(gallery):
        return ((gallery**2).sum(1) - 2 * images @ gallery.T).argmin(1)

    shift, rows = gapkit.GapCloser().fit(texts, images).shift_, []
    noise = sigma * np.random.default_rng().normal(size=(draws, *texts.shape))
    for alpha in alphas:
        moved = texts + alpha * shift
        kept = [answers(moved + one) == answers(moved) for one in noise]
        rows.append({"alpha": alpha, "agreement": 1.0, "robustness": np.mean(kept, axis=0)})
    return rows


# %% wrong a5-load: the lessons' data under another name
def load():
    pairs = gapkit.load_embeddings("miniclip-wide/scenes100")
    rows = np.random.default_rng(SEED).permutation(len(pairs.images))[:200]
    return (
        "my model",
        pairs.texts.astype(np.float64),
        pairs.images[rows].astype(np.float64),
        pairs.labels[rows],
    )


# %% wrong a5-load: some of the lessons' data under another name
def load():
    p = gapkit.load_embeddings("miniclip-wide/scenes100")
    m = p.labels < 10
    return "mine", p.texts[:10].astype(float), p.images[m].astype(float), p.labels[m]


# %% right a5-load: two classes
def load():
    rng = np.random.default_rng(0)
    t = rng.normal(size=(2, 64))
    t /= np.linalg.norm(t, axis=1, keepdims=True)
    l = rng.integers(2, size=120)
    z = t[l] + 0.12 * rng.normal(size=(120, 64)) + 0.1 * np.ones(64)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return "mine", t, z, l


# %% wrong a5-load: two classes, mixed-up labels
def load():
    rng = np.random.default_rng(0)
    t = rng.normal(size=(2, 64))
    t /= np.linalg.norm(t, axis=1, keepdims=True)
    l = rng.integers(2, size=120)
    z = t[l] + 0.12 * rng.normal(size=(120, 64)) + 0.1 * np.ones(64)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return "mine", t, z, rng.permutation(l)


# %% wrong a5-load: three classes, mixed-up labels
def load():
    rng = np.random.default_rng(0)
    t = rng.normal(size=(3, 64))
    t /= np.linalg.norm(t, axis=1, keepdims=True)
    l = rng.integers(3, size=120)
    z = t[l] + 0.12 * rng.normal(size=(120, 64)) + 0.1 * np.ones(64)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return "mine", t, z, rng.permutation(l)


# %% wrong a5-interval: always 1000 resamples
def paired_interval(before, after, resamples, confidence, seed):
    rng = np.random.default_rng(seed)
    gain = after - before
    n = len(gain)
    m = gain[rng.integers(n, size=(1000, n))].mean(1)
    return np.quantile(m, [(1 - confidence) / 2, (1 + confidence) / 2])
