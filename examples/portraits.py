"""Faces in photographs, found and cropped, and the time at which a photograph was taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
TAKEN, EXIF_PART, CHANGED = 0x9003, 0x8769, 0x0132
"""The EXIF tags DateTimeOriginal, the part that has it, and DateTime."""
MARGIN = 0.2
"""Kept around a face on each side, relative to its size."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How faces are found: the whole picture is one, or each of the given boxes, or by YuNet's file, or the cascade."""

    whole: bool = False
    crop: tuple[tuple[int, int, int, int], ...] = ()
    detector: Path | None = None


def photographs(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SystemExit(f"{folder} is no folder; give one with photographs")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def taken_at(path: Path, picture: Image.Image) -> datetime:
    """The time at which a photograph was taken, in the local time of the camera."""
    exif = picture.getexif()
    stamp = exif.get_ifd(EXIF_PART).get(TAKEN) or exif.get(CHANGED)
    try:
        return datetime.strptime(str(stamp), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return datetime.fromtimestamp(path.stat().st_mtime).replace(microsecond=0)


def boxes_of(picture: Image.Image, how: Finding) -> list[tuple[int, int, int, int]]:
    """Left, top, width and height of each face, from left to right."""
    if how.whole:
        return [(0, 0, *picture.size)]
    if how.crop:
        return list(how.crop)
    pixels = np.asarray(picture)[:, :, ::-1].copy()
    if how.detector:
        rows = by_yunet(how.detector, pixels)
    else:
        cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
        gray = cv2.equalizeHist(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
        rows = cascade.detectMultiScale(gray, 1.1, 5, minSize=(60, 60))
    return sorted(tuple(map(int, row)) for row in rows)


def by_yunet(detector: Path, pixels: np.ndarray) -> np.ndarray:
    """The boxes that YuNet finds (Wu, Peng and Yu 2023), shape (faces, 4)."""
    if not detector.is_file():
        raise SystemExit(
            f"{detector} is no file; give that of YuNet, face_detection_yunet_*.onnx of the model zoo of OpenCV, or "
            "leave --detector out for the cascade of OpenCV"
        )
    try:
        _, found = cv2.FaceDetectorYN.create(str(detector), "", pixels.shape[1::-1]).detect(pixels)
    except cv2.error:
        raise SystemExit(f"{detector} is not a face detector that OpenCV can use; give the file of YuNet") from None
    return np.empty((0, 4)) if found is None else found[:, :4]


def crops_of(picture: Image.Image, how: Finding) -> list[Image.Image]:
    """The faces with some margin, no larger than the picture."""
    margin, found = 0 if how.whole or how.crop else MARGIN, []
    for x, y, width, height in boxes_of(picture, how):
        if how.crop and not (0 <= x < x + width <= picture.width and 0 <= y < y + height <= picture.height):
            raise SystemExit(
                f"--crop {x},{y},{width},{height} is not within a picture of {picture.width}x{picture.height} pixels; "
                "give x,y,width,height in pixels"
            )
        left, top = max(0, round(x - margin * width)), max(0, round(y - margin * height))
        right, bottom = round(x + (1 + margin) * width), round(y + (1 + margin) * height)
        found.append(picture.crop((left, top, min(right, picture.width), min(bottom, picture.height))))
    return found


def opened(path: Path) -> Image.Image:
    """The picture, upright, in RGB."""
    with Image.open(path) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")
