"""The promises of the project as a whole: public names, light imports, owners of libraries, what is installed."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

import simsearch
from simsearch import errors
from simsearch.errors import SimsearchError

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "simsearch"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HEAVY = (
    "torch",
    "faiss",
    "onnxruntime",
    "sqlalchemy",
    "sqlglot",
    "numpy",
    "PIL",
    "onnx",
    "safetensors",
    "matplotlib",
    "tqdm",
    "tokenizers",
    "transformers",
    "sentence_transformers",
    "huggingface_hub",
    "cv2",
    "scipy",
    "fastapi",
    "uvicorn",
    "starlette",
    "pydantic",
    "prometheus_client",
)
OWNERS = {
    "torch": "training encoders",
    "onnx": "encoders",
    "onnxscript": "encoders",
    "safetensors": "training encoders",
    "transformers": "encoders",
    "sentence_transformers": "encoders",
    "huggingface_hub": "encoders",
    "pytorch_metric_learning": "training",
    "faiss": "vectors",
    "sqlalchemy": "store",
    "sqlglot": "where",
    "sqlite3": "store",
    "onnxruntime": "encoders",
    "click": "cli",
    "matplotlib": "evaluation",
    "PIL": "media",
    "send2trash": "duplicates",
    "scipy": "recognition",
    "pillow_heif": "media",
    "tqdm": "progress",
    "cv2": "duplicates",
    "fastapi": "serving",
    "starlette": "serving",
    "pydantic": "serving",
    "uvicorn": "serving",
    "prometheus_client": "serving",
}
TRAINING_ONLY = (
    "torch",
    "onnx",
    "onnxscript",
    "safetensors",
    "matplotlib",
    "pillow_heif",
    "transformers",
    "sentence_transformers",
    "huggingface_hub",
    "accelerate",
)
WITHOUT_EXTRAS = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TRAINING_ONLY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from simsearch.cli import main
main()
"""


def run(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The finished child process of this Python code."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=120)


def draw(path: Path, seed: int) -> Path:
    """A picture of its own for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((80, 60), Image.Resampling.BICUBIC).save(path, quality=90)
    return path


# -- names and imports ---------------------------------------------------------------------------------------------


def test_the_public_names_are_these() -> None:
    assert sorted(simsearch.__all__) == [
        "AddReport",
        "Changes",
        "CheckReport",
        "Collection",
        "CompactReport",
        "DuplicateGroup",
        "DuplicateMember",
        "DuplicatePair",
        "DuplicateReport",
        "EnrollReport",
        "Evaluation",
        "EvaluationOptions",
        "Evidence",
        "Example",
        "Finding",
        "IndexInfo",
        "Info",
        "Item",
        "Match",
        "Matches",
        "Mix",
        "MoveReport",
        "OnnxOptions",
        "Reading",
        "Recognition",
        "Remark",
        "Selection",
        "SimsearchError",
        "Skip",
        "Text",
        "Trained",
        "__version__",
        "convert",
        "evaluate",
        "open_encoder",
        "sheet",
        "sheets",
        "to_records",
        "train",
    ]
    assert dir(simsearch) == sorted(simsearch.__all__)
    for name in simsearch.__all__:
        assert getattr(getattr(simsearch, name), "__name__", name) == name
    with pytest.raises(AttributeError, match="no attribute 'Colection'"):
        _ = simsearch.Colection


def test_the_version_is_one() -> None:
    assert simsearch.__version__ == PROJECT["project"]["version"]
    newest = re.search(r"^## (\S+) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert newest is not None and newest[1] == simsearch.__version__


@pytest.mark.parametrize(
    "work",
    [
        "import simsearch",
        "from simsearch.cli import COMMANDS, cli\n"
        "for words in [['--help'], ['--version'], *([name, '--help'] for name in COMMANDS)]:\n"
        "    cli.main(words, standalone_mode=False)",
    ],
    ids=["import", "help of every command"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(work: str, tmp_path: Path) -> None:
    code = f"{work}\nimport sys\nprint('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = run(code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_searching_needs_no_extra(tmp_path: Path) -> None:
    gallery = [str(draw(tmp_path / "gallery" / f"{name}.jpg", name)) for name in range(4)]
    outside, ana = str(draw(tmp_path / "photo.jpg", 4)), str(draw(tmp_path / "ana.jpg", 5))

    def call(*arguments: str) -> str:
        done = run(WITHOUT_EXTRAS, *arguments, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = json.loads(call("index", "gallery", "--json", "--quiet"))
    assert (made["added"], made["items"], made["skipped"]) == (4, 4, 0)
    first, *rest = [json.loads(line) for line in call("query", gallery[0], "--json").splitlines()]
    assert (first["path"], first["score"], len(rest)) == (gallery[0], pytest.approx(1.0, abs=1e-5), 3)
    assert json.loads(call("query", outside, "-k", "1", "--json"))["path"] in gallery
    call("enroll", "Ana", ana)
    assert json.loads(call("recognize", ana, "-t", "0.99", "--json"))["label"] == "Ana"
    assert json.loads(call("info", "--json"))["items"] == 4
    assert json.loads(call("info", "glyph", "--json"))["channels"] == 1


def test_training_without_its_extra_says_which(tmp_path: Path) -> None:
    done = run(WITHOUT_EXTRAS, "train", "labelled", "-o", "encoders/mine", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ('Error: Training needs an extra that is not installed: pip install "simsearch[train]"\n')
    assert not (tmp_path / "encoders").exists()


# -- the code ------------------------------------------------------------------------------------------------------


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Each module of the package by its path within it, parsed."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_functions_modules_and_folders_are_short() -> None:
    functions = [
        (path, node.name, body_lines(node))
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [found for found in functions if found[2] > 40] == []
    files = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert [path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 300] == []
    folders = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in files)
    assert {name: count for name, count in folders.items() if count > 16} == {}


def imported(tree: ast.AST) -> Iterator[str]:
    """The libraries that are imported when the program runs, wherever the import stands."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        yield from imported(node)


def test_each_heavy_library_has_one_owner() -> None:
    users: dict[str, set[str]] = {library: set() for library in OWNERS}
    for path, tree in modules():
        for library in set(imported(tree)) & set(OWNERS):
            users[library].add(path.partition("/")[0].removesuffix(".py"))
    assert users == {library: set(owners.split()) for library, owners in OWNERS.items()}


def test_only_converting_needs_the_libraries_of_other_models() -> None:
    """Using an encoder needs none of them: that is what an encoder folder is for."""
    libraries = {
        "torch",
        "onnx",
        "onnxscript",
        "safetensors",
        "transformers",
        "sentence_transformers",
        "huggingface_hub",
    }
    users = {path for path, tree in modules() if path.startswith("encoders/") and set(imported(tree)) & libraries}
    assert {path for path in users if not path.startswith("encoders/converting/")} == {"encoders/pretrained_hub.py"}


def test_the_foundations_import_the_standard_library_only() -> None:
    trees = dict(modules())
    for path in ("__init__.py", "__main__.py", "types.py", "errors.py", "manifest.py"):
        assert set(imported(trees[path])) <= sys.stdlib_module_names | {"simsearch"}, path


SAFE = {"torch.load": ("weights_only", "True")}
"""What a call must be given; every other call must not be given allow_pickle or shell."""


def dangerous(call: ast.Call) -> bool:
    """Whether the call could run code that comes from a file."""
    name = ast.unparse(call.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name in ("eval", "exec", "compile", "__import__") or re.match(r"(pickle|marshal|shelve|dill)\.", name):
        return True
    if name in SAFE:
        option, value = SAFE[name]
        return given.get(option) != value
    return any(given.get(option, "False") != "False" for option in ("allow_pickle", "shell"))


def dangers(tree: ast.Module) -> list[str]:
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call) and dangerous(node)]


def test_nothing_in_the_package_runs_code_from_files() -> None:
    hostile = "eval(a); pickle.loads(b); torch.load(c); np.load(d, allow_pickle=True); torch.load(e, weights_only=True)"
    assert len(dangers(ast.parse(hostile))) == 4
    assert [(path, call) for path, tree in modules() for call in dangers(tree)] == []


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn: dict[str, str] = {}
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"( {4}[│├└─ ]*)([A-Z]\w+Error)\b", line)
        if found:
            depth = (len(found[1]) - 4) // 4
            above[depth] = found[2]
            drawn[found[2]] = above[depth - 1] if depth else "Exception"
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, SimsearchError)]
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in kinds}
    assert {kind.__name__ for kind in kinds if kind.exit_code == 2} == {"UsageError"}
    assert {kind.exit_code for kind in kinds} == {1, 2}


# -- what is installed ---------------------------------------------------------------------------------------------


def requirements(*extras: str) -> list[Requirement]:
    lines = PROJECT["project"]["dependencies"]
    lines = [*lines, *(line for extra in extras for line in PROJECT["project"]["optional-dependencies"][extra])]
    return [Requirement(line) for line in lines if not line.startswith("simsearch[")]


def test_the_core_needs_nothing_of_the_extras() -> None:
    names = {requirement.name for requirement in requirements()}
    assert names == {
        "click",
        "faiss-cpu",
        "filelock",
        "numpy",
        "onnxruntime",
        "pathspec",
        "pillow",
        "sqlalchemy",
        "sqlglot",
        "tokenizers",
        "tqdm",
    }
    training = {r.name for r in requirements("train")} - names
    assert training == {"torch", "onnx", "onnxscript", "safetensors", "pytorch-metric-learning", "accelerate"}
    pretrained = {r.name for r in requirements("pretrained")} - names
    assert pretrained == {"torch", "onnx", "onnxscript", "transformers", "sentence-transformers", "accelerate"}
    assert PROJECT["project"]["optional-dependencies"]["all"] == [
        "simsearch[train,pretrained,plots,heic,raw,trash,dedupe,distinct,watch,parquet,serve]"
    ]


def test_every_requirement_has_a_pin_that_satisfies_it() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(versions) == len(pins)
    for requirement in requirements(
        "train", "pretrained", "plots", "heic", "trash", "dedupe", "distinct", "serve", "test"
    ):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement
        assert "+" not in version


def test_the_wheel_holds_everything_that_is_no_code() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["simsearch"]
    shipped = {path for pattern in patterns for path in PACKAGE.glob(pattern) if path.is_file()}
    others = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert shipped == others
    for name in ("photo", "glyph", "strokes", "text"):
        for file in ("encoder.json", "encoder.onnx"):
            assert PACKAGE / "encoders" / "bundled" / name / file in shipped
    assert PACKAGE / "py.typed" in shipped
    page = PACKAGE / "serving" / "page"
    assert {page / "index.html", page / "scripts" / "main.js", page / "styles" / "tokens.css"} <= shipped
    packages = {path.parent for path in PACKAGE.rglob("*.py")}
    assert all((package / "__init__.py").is_file() for package in packages)
