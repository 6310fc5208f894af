"""The arrows of the design, read from the sources: imports point one way."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("game", "scraping", "generation", "training")

# What of the project each part may import, besides itself. The wiring at the top of `game` may import everything.
ALLOWED: dict[str, set[str]] = {
    "game.pool": set(),
    "game.live": set(),
    # The supervisor of `make play` tells how far the pool is, and whose model still has to fill it.
    "game.embedded": {"game.pool", "generation"},
    "game.environment": {"game.embedded"},
    "game.logs": set(),
    "game.database": set(),
    "game.downloads": set(),
    "game.accounts": {"game.limits"},
    "game.limits": set(),
    "game.guards": {"game.live"},
    "game.play": {"game.pool", "game.live", "game.accounts", "game.limits"},
    # Deals as rounds do; models answer the prompt that a class writes to. See docs/adr/0011.
    "game.classroom": {
        "game.pool",
        "game.live",
        "game.accounts",
        "game.limits",
        "game.guards",
        "game.database",
        "game.downloads",
        "game.play",
        "generation",
        "generation.duel",
    },
    # Looks at everything that a decision on a tweet touches: open cards, models that learned it, authors who opted out.
    "game.moderation": {
        "game.pool",
        "game.live",
        "game.limits",
        "game.guards",
        "game.database",
        "game.downloads",
        "game.accounts",
        "game.play",
        "generation",
        "generation.duel",
        "scraping",
    },
    "scraping": {"game.pool", "game.live", "game.limits", "game.guards", "game.database"},
    "generation": {"game.pool", "game.live", "game.limits", "game.guards", "game.database"},
    "generation.duel": {"generation", "game.pool", "game.live", "game.limits", "game.guards", "game.database", "game.accounts"},
    # Looks at what waits in the queues of both.
    "generation.autoscale": {"generation", "generation.duel", "game.database"},
    # Its steps are child processes, which must not outlive it.
    "training": {"game.pool", "game.live", "game.limits", "game.guards", "game.embedded", "generation", "training.steps"},
    "training.steps": set(),
}
# Inside an app, what each room may import of its own app's rooms.
ROOMS: dict[str, set[str]] = {
    "rules": set(),
    "models": {"rules"},
    "services": {"rules", "models"},
}
HEAVY = {"torch", "transformers", "accelerate"}
# Slow to import, or big in memory: loaded where they are used, never by the web process.
LAZY = {"ctranslate2", "vaderSentiment", *HEAVY}
# The one module outside of the training steps that runs torch.
TORCH_BACKEND = "generation.backends.transformers"


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                parts = path.relative_to(ROOT).with_suffix("").parts
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.lineno, node.module or ""
            # `from game.play import rules` names a module by its last part.
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def part_of(module: str) -> str | None:
    """Return the longest part of ALLOWED that holds `module`."""
    return max((part for part in ALLOWED if module == part or module.startswith(f"{part}.")), key=len, default=None)


MODULES = dict(modules())


def test_there_are_modules_to_check() -> None:
    assert {"game.play.rules", "scraping.rules", "generation.rules", "training.steps.finetune"} <= MODULES.keys()


def test_every_app_is_part_of_the_design() -> None:
    apps = {module.rpartition(".")[0] for module in MODULES if module.endswith(".apps")}
    assert apps - {"game"} <= ALLOWED.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_between_parts_point_one_way(module: str) -> None:
    part = part_of(module)
    if part is None:
        return
    for line, name in imports(MODULES[module]):
        target = part_of(name)
        if name.split(".")[0] in PACKAGES and target != part:
            assert target in ALLOWED[part], f"{MODULES[module]}:{line}: {part} may not import {name}"


@pytest.mark.parametrize("module", [name for name in MODULES if name.rpartition(".")[2] in ROOMS])
def test_rooms_import_only_what_stands_before_them(module: str) -> None:
    app, _, room = module.rpartition(".")
    for line, name in imports(MODULES[module]):
        if name.startswith(f"{app}."):
            other = name.removeprefix(f"{app}.").split(".")[0]
            later = {"views", "consumers", "admin", "tasks", "urls", "forms", "management"} | (
                {"services"} if room != "services" else set()
            )
            assert other not in later, f"{MODULES[module]}:{line}: {room} may not import {name}"
            if room in ("rules", "models"):
                assert other in ROOMS[room] | {room}, f"{MODULES[module]}:{line}: {room} may not import {name}"


@pytest.mark.parametrize("module", [name for name in MODULES if name.endswith((".rules", ".planning"))])
def test_rules_know_nothing_of_django_the_clock_or_chance(module: str) -> None:
    for line, name in imports(MODULES[module]):
        root = name.split(".")[0]
        assert root not in {"django", "channels", "celery", "redis", "psycopg", "time"}, f"{MODULES[module]}:{line}: {name}"
        # A rule may name the class of the generator that it is handed, and nothing else of that module.
        assert root != "random" or name == "random.Random" or (line, "random.Random") in set(imports(MODULES[module])), f"{module}:{line}"


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("training.steps") and name != TORCH_BACKEND])
def test_torch_is_imported_by_training_steps_and_one_backend_alone(module: str) -> None:
    for line, name in imports(MODULES[module]):
        assert name.split(".")[0] not in HEAVY, f"{MODULES[module]}:{line}: {name}"


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("training.steps")])
def test_inference_libraries_are_imported_where_they_are_used(module: str) -> None:
    for line, name in imports(MODULES[module], top_level_only=True):
        assert name.split(".")[0] not in LAZY, f"{MODULES[module]}:{line}: {name} at the top of the module"


def test_the_web_process_loads_no_model_library(servers) -> None:
    code = "import game.asgi, sys; print(*sorted({'torch', 'transformers', 'ctranslate2', 'tokenizers'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_no_file_is_longer_than_three_hundred_lines() -> None:
    long = {path.name: count for path in MODULES.values() if (count := len(path.read_text(encoding="utf-8").splitlines())) > 300}
    assert long == {}
