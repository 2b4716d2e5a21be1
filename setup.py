"""The package's dependencies are those of requirements.txt; all else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup

lines = [
    line.partition("#")[0].strip() for line in Path("requirements.txt").read_text().splitlines()
]
setup(install_requires=[line for line in lines if line and not line.startswith("-")])
