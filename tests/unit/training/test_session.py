"""Training from files to an encoder folder, as a user sees it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import CONFIG_NAME, ONNX_NAME, WEIGHTS_NAME, read_config
from simsearch.errors import DamagedError, SimsearchError, TrainingError, UsageError
from simsearch.media.images import PixelSpec
from simsearch.progress import Silent
from simsearch.training import Trained, train
from simsearch.training.dataset import Dataset, load_dataset
from simsearch.training.models import ModelSpec
from simsearch.training.pictures import load_pictures
from simsearch.training.recipes import Recipe, preset
from tests.unit.training.conftest import DrawShape
