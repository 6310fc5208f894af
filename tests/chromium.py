"""Find a Chromium for the browser tests, or install one: `python -m tests.chromium`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

# The first is the same browser without a window of its own, and takes a quarter less of the processor.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """Return the path of CHROMIUM, of an installed browser or of Playwright's own, else None."""
    if chosen := os.environ.get("CHROMIUM"):
        return shutil.which(chosen)
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def install_chromium() -> str | None:
    """Install a browser by Playwright, else as root by apt; return its path, or None if neither worked."""
    attempts = [[[sys.executable, "-m", "playwright", "install", "chromium"]]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "-q", "-y", "--no-install-recommends"]
        attempts += [[["apt-get", "update", "-q"], [*install, package]] for package in ("chromium-headless-shell", "chromium")]
    for commands in attempts:
        if all(subprocess.run(command, stdout=sys.stderr).returncode == 0 for command in commands) and (found := find_chromium()):
            return found
    return None


def main() -> None:
    """Print the browser's path, installing it where needed."""
    if os.environ.get("CHROMIUM") and not find_chromium():
        sys.exit(f"CHROMIUM is {os.environ['CHROMIUM']}, and no such program exists.")
    found = find_chromium() or install_chromium()
    if not found:
        sys.exit("No Chromium, and none could be installed: install one (apt install chromium), or set CHROMIUM to its path.")
    sys.stdout.write(f"Browser: {found}\n")


if __name__ == "__main__":
    main()
