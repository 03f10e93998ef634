"""A run on disk: what was asked, where it ran, what was measured, and the checkpoints that are kept."""

from cnnviz.runs.config import build_model
from cnnviz.runs.run import (
    Run,
    clear_unfinished,
    create,
    damages,
    fresh,
    latest,
    load_config,
    load_run,
    load_states,
    mend_metrics,
    prepare,
    read_summary,
    save,
    write_summary,
)

__all__ = [
    "Run",
    "build_model",
    "clear_unfinished",
    "create",
    "damages",
    "fresh",
    "latest",
    "load_config",
    "load_run",
    "load_states",
    "mend_metrics",
    "prepare",
    "read_summary",
    "save",
    "write_summary",
]
