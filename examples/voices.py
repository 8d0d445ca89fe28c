"""Recognizes who says a phrase, from short recordings: vectors of one's own in a collection without an encoder.

    python examples/voices.py                              synthetic speakers, made for this run
    python examples/voices.py PEOPLE BACKGROUND STRANGERS FILE.wav ...

Each folder has a folder of recordings for each person: PEOPLE of those to recognize, BACKGROUND two or more of each of
some dozens, from which it is learned what varies in one voice, STRANGERS one of each of at least 59 others, from which
the threshold is calibrated (59 are the least for 5 % at 95 % confidence). All say one phrase, as a spoken password,
in WAV files of 16 bits. Needs scipy: pip install "simsearch[distinct]".

The features are mel-frequency cepstral coefficients (Davis and Mermelstein 1980) of six parts of the phrase, and the
pitch. They serve for clear recordings; for telephones and free speech put the vectors of a speaker network in place of
`features`, and leave the rest as it is.
"""

from __future__ import annotations

import sys
import tempfile
import wave
from collections.abc import Sequence
from math import gcd
from pathlib import Path

import numpy as np
import speech
from scipy.fft import dct, irfft, rfft
from scipy.signal import resample_poly

import simsearch

RATE, FRAME, HOP = 16_000, 512, 160
BANDS, COEFFICIENTS, PARTS, DIM = 32, 20, 6, 12
FAR = 0.05


def samples_of(path: Path) -> np.ndarray:
    """The samples in -1..1 at 16 kHz, channels averaged."""
    try:
        with wave.open(str(path), "rb") as file:
            width, rate, channels = file.getsampwidth(), file.getframerate(), file.getnchannels()
            raw = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it ends too early"
        raise SystemExit(f"{path} cannot be read as WAV: {reason}") from None
    if width != 2:
        raise SystemExit(f"{path} has {8 * width} bits a sample; save it as WAV with 16 bits")
    sound = np.frombuffer(raw, "<i2").reshape(-1, channels).mean(axis=1) / 32768
    common = gcd(rate, RATE)
    return sound if rate == RATE else resample_poly(sound, RATE // common, rate // common)


def mel_filters() -> np.ndarray:
    """Triangular filters with equal distances on the mel scale, from 80 to 7,600 Hz; shape (BANDS, FRAME // 2 + 1)."""
    low, high = 2595 * np.log10(1 + np.array([80, 7600]) / 700)
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(FRAME, 1 / RATE)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.clip(np.minimum(rising, falling), 0, None)


def features(path: Path) -> np.ndarray:
    """The mean cepstral coefficients of each part of the phrase, and the pitch (its median and its spread)."""
    sound = samples_of(path)
    if len(sound) < RATE // 2:
        raise SystemExit(f"{path} lasts {len(sound) / RATE:.2f} s; half a second is the least")
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP] * np.hanning(FRAME)
    power = np.abs(rfft(frames)) ** 2
    power = power[power.sum(axis=1) > 0.05 * np.percentile(power.sum(axis=1), 90)]
    cepstra = dct(np.log(power @ mel_filters().T + 1e-8), norm="ortho")[:, 1:COEFFICIENTS]
    pitch = np.log(pitches(power))
    parts = [part.mean(axis=0) for part in np.array_split(cepstra, PARTS)]
    return np.concatenate([*parts, [np.median(pitch), pitch.std()]])


def pitches(power: np.ndarray) -> np.ndarray:
    """The pitch of each frame in Hz, 70 to 400, where its autocorrelation is highest."""
    correlation = irfft(power)
    shortest, longest = RATE // 400, RATE // 70
    return RATE / (shortest + correlation[:, shortest:longest].argmax(axis=1))


def recordings(folder: Path) -> dict[str, list[Path]]:
    if not any(folder.glob("*/*.wav")):
        raise SystemExit(f"{folder} has no WAV files in folders; give one with a folder of recordings for each person")
    return {one.name: sorted(one.glob("*.wav")) for one in sorted(folder.iterdir()) if one.is_dir()}


def discriminant(background: dict[str, list[Path]]) -> tuple[np.ndarray, np.ndarray]:
    """Center and projection of linear discriminant analysis (Fisher 1936): between speakers over within speakers."""
    rows = [np.stack([features(file) for file in files]) for files in background.values() if len(files) > 1]
    if len(rows) <= DIM:
        raise SystemExit(f"{len(rows)} people have two recordings in the background; more than {DIM} are needed")
    means = np.stack([each.mean(axis=0) for each in rows])
    within = np.cov(np.concatenate([each - each.mean(axis=0) for each in rows]).T)
    # The diagonal is strengthened, as there are fewer recordings than features to estimate correlations from.
    whiten = np.linalg.cholesky(np.linalg.inv(within + 0.2 * np.diag(np.diag(within))))
    center = means.mean(axis=0)
    _, _, axes = np.linalg.svd((means - center) @ whiten, full_matrices=False)
    return center, whiten @ axes[:DIM].T


class Voices:
    """A collection that recognizes speakers by their projected features."""

    def __init__(self, folder: Path, people: Path, background: Path, strangers: Path) -> None:
        self.center, self.projection = discriminant(recordings(background))
        self.collection = simsearch.Collection.create(folder, dim=DIM)
        for name, files in recordings(people).items():
            self.collection.enroll(name, self.vectors(files))
        self.collection.calibrate(FAR, impostors=self.vectors([files[0] for files in recordings(strangers).values()]))

    def vectors(self, files: Sequence[Path]) -> np.ndarray:
        return (np.stack([features(file) for file in files]) - self.center) @ self.projection

    def recognize(self, files: Sequence[Path]) -> list[simsearch.Recognition]:
        return self.collection.recognize_many(list(self.vectors(files)))


def show(file: Path, answer: simsearch.Recognition) -> None:
    surely = "" if answer.probability is None else f"  P {answer.probability:.2f}"
    print(f"  {file.name:20} {answer.label or 'unknown':12} {answer.score:.2f}{surely}")


def synthetic(folder: Path) -> None:
    """Enrolls ten synthetic speakers with three recordings, and recognizes others of them and of strangers."""
    people = speech.record_all(folder / "people", people=10, recordings=6, seed=11)
    asked = [file.rename(folder / f"{file.parent.name}-{file.name}") for file in sorted(people.glob("*/[345].wav"))]
    background = speech.record_all(folder / "background", people=40, recordings=3, seed=12)
    strangers = speech.record_all(folder / "strangers", people=93, recordings=1, seed=13)
    speech.record_all(folder / "unseen", people=60, recordings=1, seed=14)
    unseen = [file.rename(folder / f"stranger-{file.parent.name[-3:]}.wav") for file in folder.glob("unseen/*/0.wav")]
    voices = Voices(folder / "voices", people, background, strangers)
    answers = voices.recognize(asked)
    right = sum(file.name.startswith(answer.label or "unknown") for file, answer in zip(asked, answers, strict=True))
    unknown = sum(answer.label is None for answer in answers)
    outside = voices.recognize(unseen)
    accepted = sum(answer.label is not None for answer in outside)
    print(f"10 speakers, 3 recordings of each enrolled; {len(asked)} other recordings of them:")
    print(f"  {right} recognized, {len(asked) - right - unknown} taken for another, {unknown} unknown")
    print(f"  {accepted} of {len(unseen)} strangers accepted; calibrated for at most {FAR:.0%}")
    for file, answer in zip(asked[:2] + unseen[:1], answers[:2] + outside[:1], strict=True):
        show(file, answer)
    voices.collection.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) == 1:
            synthetic(Path(folder))
            return
        if len(sys.argv) < 5:
            raise SystemExit(__doc__)
        people, background, strangers, *files = map(Path, sys.argv[1:])
        try:
            voices = Voices(Path(folder) / "voices", people, background, strangers)
            answers = voices.recognize(files)
        except simsearch.SimsearchError as error:
            raise SystemExit(f"Error: {error}") from None
        for file, answer in zip(files, answers, strict=True):
            show(file, answer)
        voices.collection.close()


if __name__ == "__main__":
    main()
