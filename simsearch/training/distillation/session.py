"""One distillation from texts and a teacher to the folder of a small, fast encoder of texts."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import numpy as np
import torch

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import TOKENIZER_NAME, EncoderConfig
from simsearch.encoders.placing import LOCK, placed, require_place
from simsearch.encoders.text import padded
from simsearch.encoders.tokens import Tokens, load_tokens
from simsearch.errors import EncoderError, LockedError, MediaError, TrainingError, UsageError
from simsearch.evaluation.statistics.correlation import spearman
from simsearch.labelled.material import Labelled
from simsearch.labelled.reading import Reading
from simsearch.progress import Progress, Silent
from simsearch.space import telling_full_disk
from simsearch.training.data.product_codes import CodePairs
from simsearch.training.data.tokenization import learned_tokenizer, taken_tokenizer
from simsearch.training.data.vocabulary import smaller_tokenizer, words_of
from simsearch.training.distillation.corpus import Corpus, known_to, read_corpus, read_graded
from simsearch.training.distillation.loop import DistillationTargets, Distilling, FittedStudent, fit_student
from simsearch.training.distillation.principal_components import principal_components, project
from simsearch.training.distillation.teacher import teacher_embeddings
from simsearch.training.export.folder import export_encoder, round_weights
from simsearch.training.export.quantization import with_eight_bit_tables
from simsearch.training.networks.building import build_text
from simsearch.training.networks.encoder import SiameseEncoder
from simsearch.training.networks.specification import TextSpec
from simsearch.training.networks.text import BagOfTokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Encoder, JSONValue, Skip

RARE = 1e-3
"""The a of a / (a + p(token)) (Arora et al. 2017), the length that the vector of a token starts with."""
MADE_UP = 10_000
"""Made-up codes that are drawn from."""


@dataclass(frozen=True, slots=True)
class Distilled:
    """A finished distillation: where the encoder is, what it reached, how it went."""

    folder: Path
    config: EncoderConfig
    history: tuple[dict[str, float], ...]
    skipped: tuple[Skip, ...] = ()


def distill(
    teacher: str | Path,
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    validation: str | Path | None = None,
    tokenizer: str | Path | None = None,
    how: Distilling | None = None,
    reading: Reading | None = None,
    restart: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Distilled:
    """Distills a large text encoder into a small, fast one, and writes its encoder folder `out`.

    `teacher` is a text encoder: the folder or name of a pretrained model, or an encoder folder. The targets of all
    texts are its embeddings; graded pairs and pairs labelled same or different have losses of their own. `validation`
    are graded pairs that are not trained on. `reading` has the options for reading tables and folders. `tokenizer` has
    the word pieces; without it those of the teacher are used if it has any, else they are learned from the texts.

    An interrupted run resumes when it is called again with the same arguments; the teacher embeddings are cached
    in `OUT.training` until the end. Raises TrainingError, EncoderError, UsageError.
    """
    folder, how, shown = Path(out), how or Distilling(), progress or Silent()
    reading = reading or Reading()
    _check(how)
    work = folder.with_name(folder.name + ".training")
    require_place(folder, work, overwrite=overwrite)
    opened = _teacher(teacher, how.dim)
    corpus = known_to(opened, read_corpus([Path(source) for source in sources], reading))
    held = read_graded(Path(validation), reading) if validation is not None else None
    if restart:
        shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True, exist_ok=True)
        with telling_full_disk(work, TrainingError), filelock.FileLock(work / LOCK, timeout=0):
            content = _tokenizer(Path(tokenizer) if tokenizer else Path(teacher), tokenizer is None, corpus, how)
            run = _Run(opened, corpus, content, how, folder, work, held, shown)
            distilled = run.distilled()
    except filelock.Timeout:
        raise LockedError(f"another distillation uses {work}; wait for it, or choose another -o") from None
    shutil.rmtree(work, ignore_errors=True)
    return distilled


def _check(how: Distilling) -> None:
    least = {"dim": 1, "vocabulary": 1, "codes": 0, "epochs": 1, "seed": 0}
    for name, low in least.items():
        value = getattr(how, name)
        if not low <= value < 2**63:
            raise UsageError(f"{name} must be from {low}, not {value}")


def _teacher(name: str | Path, dim: int) -> Encoder:
    opened = open_encoder(name)
    if opened.modality != "text" or opened.dim < dim:
        raise UsageError(
            f"teacher {str(name)!r} is an encoder of {opened.modality}s with dimension {opened.dim}; "
            f"it must encode texts with a dimension of at least {dim}"
        )
    return opened


def _tokenizer(place: Path, of_teacher: bool, corpus: Corpus, how: Distilling) -> bytes:
    """A tokenizer.json of at most `how.vocabulary` tokens."""
    try:
        return smaller_tokenizer(taken_tokenizer(place), corpus.texts, how.vocabulary)
    except EncoderError as error:
        if not of_teacher:
            raise EncoderError(f"{place}: {error}") from error
        return learned_tokenizer(corpus.texts, size=how.vocabulary)


@dataclass(frozen=True)
class _Run:
    teacher: Encoder
    corpus: Corpus
    tokenizer: bytes
    how: Distilling
    folder: Path
    work: Path
    held: Labelled | None
    progress: Progress

    def distilled(self) -> Distilled:
        how, began = self.how, time.monotonic()
        torch.manual_seed(how.seed)
        tokens, spec = self._tokens()
        ids = [_ids(tokens, text) for text in self.corpus.texts]
        embeddings = teacher_embeddings(self.teacher, self.corpus.texts, self.work / "teacher", self.progress)
        components = principal_components(embeddings, how.dim)
        encoder = self._initial(spec, ids, components)
        codes = CodePairs(tokens.ids, count=MADE_UP, share=how.code_share, seed=how.seed) if how.codes else None
        targets = DistillationTargets(
            ids, project(embeddings, components), self.corpus.graded, self.corpus.pairs, codes
        )
        configuration = json.dumps(
            [asdict(how), self.teacher.fingerprint, self.corpus.digest(), hashlib.sha256(self.tokenizer).hexdigest()]
        )
        fitted = fit_student(
            encoder,
            targets,
            how,
            validate=lambda: self._figure(encoder, tokens, targets),
            checkpoint=self.work / "checkpoint.pt",
            progress=self.progress,
            configuration=hashlib.sha256(configuration.encode()).hexdigest(),
        )
        return self._exported(encoder, spec, tokens, targets, fitted, time.monotonic() - began)

    def _tokens(self) -> tuple[Tokens, TextSpec]:
        from tokenizers import Tokenizer

        size = Tokenizer.from_buffer(self.tokenizer).get_vocab_size() + self.how.codes
        spec = TextSpec("bag", size, self.how.dim, max_tokens=self.how.max_tokens, codes=self.how.codes)
        tokens = load_tokens(
            self.tokenizer, TOKENIZER_NAME, max_tokens=spec.max_tokens, vocabulary=size, codes=spec.codes
        )
        return tokens, spec

    def _initial(
        self, spec: TextSpec, ids: Sequence[tuple[int, ...]], components: NDArray[np.float32]
    ) -> SiameseEncoder:
        """The initial encoder: each token has the direction of the teacher's embedding of it alone."""
        from tokenizers import Tokenizer

        words = words_of(Tokenizer.from_buffer(self.tokenizer))
        # The padding and the unknown token stand for no word.
        embeddings = teacher_embeddings(self.teacher, words[2:], self.work / "teacher", self.progress)
        used = np.bincount(np.concatenate([np.array(each) for each in ids]), minlength=spec.vocabulary)
        lengths = RARE / (RARE + used / used.sum())
        rows = torch.randn(spec.vocabulary, spec.dim) / spec.dim**0.5
        rows[2 : len(words)] = torch.from_numpy(project(embeddings, components))
        rows *= torch.from_numpy(lengths.astype(np.float32))[:, None]
        rows[0] = 0.0
        encoder = build_text(spec)
        assert isinstance(encoder.trunk, BagOfTokens)
        encoder.trunk.table.weight.data.copy_(rows)
        encoder.trunk.table.sparse = True
        return encoder

    def _figure(self, encoder: SiameseEncoder, tokens: Tokens, targets: DistillationTargets) -> float:
        """Spearman's correlation on the validation pairs, else the mean cosine with the teacher embeddings."""
        if self.held is None or self.held.scores is None or self.held.pairs is None:
            some = range(0, len(targets.ids), max(1, len(targets.ids) // 2_000))
            vectors = _encoded(encoder, [targets.ids[row] for row in some])
            return float((vectors * targets.embeddings[list(some)]).sum(axis=1).mean())
        vectors = _encoded(encoder, [_ids(tokens, text) for text in self.held.sources])
        left, right = vectors[self.held.pairs[:, 0]], vectors[self.held.pairs[:, 1]]
        return spearman((left * right).sum(axis=1), self.held.scores)

    def _exported(
        self,
        encoder: SiameseEncoder,
        spec: TextSpec,
        tokens: Tokens,
        targets: DistillationTargets,
        fitted: FittedStudent,
        seconds: float,
    ) -> Distilled:
        with_eight_bit_tables(encoder.eval())
        round_weights(encoder)
        longest = sorted(targets.ids[:: max(1, len(targets.ids) // 256)], key=len)
        training: dict[str, JSONValue] = asdict(self.how) | {
            "teacher": Path(self.teacher.name).name,
            "teacher_fingerprint": self.teacher.fingerprint,
            "texts": len(self.corpus.texts),
            "graded_pairs": len(self.corpus.graded.rows),
            "pairs": len(self.corpus.pairs.rows),
            "digest": self.corpus.digest(),
            "steps_taken": fitted.steps,
            "seconds": round(seconds, 1),
            "history": [dict(row) for row in fitted.history],
        }
        with placed(self.folder, self.work) as made:
            config = export_encoder(
                encoder,
                spec,
                made,
                name=self.folder.name,
                tokenizer=self.tokenizer,
                sample=padded(longest),
                half=True,
                training=training,
                figures={"validation": self._figure(encoder, tokens, targets)},
            )
        return Distilled(self.folder, config, fitted.history, self.corpus.skipped)


def _ids(tokens: Tokens, text: str) -> tuple[int, ...]:
    """The token ids of a text; the unknown token for a text without any."""
    try:
        return tokens.ids(text)
    except MediaError:
        return (1,)


def _encoded(encoder: SiameseEncoder, ids: Sequence[tuple[int, ...]]) -> NDArray[np.float32]:
    """The embeddings of all texts, in batches of 512 of similar length."""
    encoder.eval()
    order = np.argsort([len(each) for each in ids], kind="stable")
    vectors = np.empty((len(ids), 0), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), 512):
            rows = order[start : start + 512]
            part = encoder(torch.from_numpy(padded([ids[row] for row in rows]))).numpy()
            if not vectors.shape[1]:
                vectors = np.empty((len(ids), part.shape[1]), dtype=np.float32)
            vectors[rows] = part
    return vectors
