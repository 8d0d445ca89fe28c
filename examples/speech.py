"""Synthetic speech: one phrase, said by speakers that differ in pitch, vocal tract, vowels, breath and pace.

A source-filter model (Fant 1960): pulses of the glottis and noise, through resonators at the formants (Klatt 1980).
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

RATE = 16_000
VOWELS = np.array(
    [[730, 1090, 2440], [530, 1840, 2480], [270, 2290, 3010], [570, 840, 2410], [300, 870, 2240], [490, 1350, 1690]]
)
"""The first three formants of six vowels of men, in Hz (Peterson and Barney 1952)."""
PHRASE = (0, 2, 4, 1, 3, 2, 5, 0, 1)
HISSES = (2, 6)
"""The places in the phrase where a hiss takes the place of a vowel."""
BANDWIDTHS = (60, 90, 150, 200)
STEP = 160


@dataclass(frozen=True, slots=True)
class Speaker:
    """`pitch` in Hz; `vowels` are formants in Hz; `tilt` in 0..1 makes the voice dull; `pace` in vowels a second."""

    pitch: float
    vowels: np.ndarray
    tilt: float
    breath: float
    pace: float
    melody: float


def some_speaker(rng: np.random.Generator) -> Speaker:
    heights = np.column_stack([VOWELS, np.full(len(VOWELS), 3400)])
    vowels = rng.uniform(0.85, 1.2) * heights * rng.normal(1, 0.04, 4) * rng.normal(1, 0.05, heights.shape)
    spread = [rng.uniform(*span) for span in ((0.5, 0.95), (0.01, 0.12), (5, 8), (0.03, 0.2))]
    return Speaker(float(np.exp(rng.uniform(np.log(85), np.log(250)))), vowels, *spread)


def say(speaker: Speaker, rng: np.random.Generator) -> np.ndarray:
    """Samples in -1..1 at 16 kHz of the phrase; each time a little different, with noise of the room."""
    lengths = rng.normal(1, 0.12, len(PHRASE)).clip(0.6, 1.4) / speaker.pace
    middles = np.cumsum(lengths) - lengths / 2
    time = np.arange(int(lengths.sum() * RATE) // STEP) * STEP / RATE
    spoken = speaker.vowels[list(PHRASE)] * rng.normal(1, 0.02, (len(PHRASE), 4))
    formants = np.stack([np.interp(time, middles, column) for column in spoken.T], axis=1)
    voiced = ~np.isin(np.searchsorted(np.cumsum(lengths), time, side="right"), HISSES)
    sound = _resonated(_pulses(speaker, rng, len(time) * STEP) * np.repeat(voiced, STEP), formants)
    hiss = sosfilt(butter(4, (3000, 7000), "bandpass", fs=RATE, output="sos"), rng.normal(size=len(sound)))
    sound = sound / np.abs(sound).max() + 0.2 * hiss * np.repeat(~voiced, STEP)
    noise = rng.normal(scale=rng.uniform(0.002, 0.01), size=len(sound))
    return 0.8 * (sound + noise) / np.abs(sound + noise).max()


def _pulses(speaker: Speaker, rng: np.random.Generator, count: int) -> np.ndarray:
    """The glottis: pulses at the pitch, which falls and wavers, softened by the tilt, with breath."""
    time = np.arange(count) / RATE
    waver = np.sin(2 * np.pi * (rng.uniform(1, 3) * time + rng.random()))
    pitch = speaker.pitch * rng.uniform(0.95, 1.05) * (1 + speaker.melody * (waver - time / 2))
    phase = np.cumsum(pitch) / RATE
    train = np.diff(np.floor(phase), prepend=0.0) + speaker.breath * rng.normal(size=count)
    return lfilter([1 - speaker.tilt], [1, -speaker.tilt], train)


def _resonated(source: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """The source through a cascade of resonators that move every 10 ms."""
    sound = source
    for column, width in enumerate(BANDWIDTHS):
        radius, state, parts = np.exp(-np.pi * width / RATE), np.zeros(2), []
        for step, frequency in enumerate(formants[:, column]):
            poles = [1, -2 * radius * np.cos(2 * np.pi * frequency / RATE), radius**2]
            part, state = lfilter([sum(poles)], poles, sound[step * STEP : (step + 1) * STEP], zi=state)
            parts.append(part)
        sound = np.concatenate(parts)
    return sound


def record(path: Path, samples: np.ndarray) -> Path:
    """Writes a mono WAV file of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def record_all(folder: Path, people: int, recordings: int, seed: int) -> Path:
    """Fills `folder` with a folder of recordings for each of some speakers; returns it."""
    rng = np.random.default_rng(seed)
    for person in range(people):
        speaker = some_speaker(rng)
        for number in range(recordings):
            record(folder / f"speaker{person:03}" / f"{number}.wav", say(speaker, rng))
    return folder
