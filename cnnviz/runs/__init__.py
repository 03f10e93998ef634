"""A run on disk: its config, its environment, its metrics and the checkpoints that it keeps."""

from cnnviz.interop.place import latest
from cnnviz.runs.checkpoints import clear_unfinished
from cnnviz.runs.config import Config
from cnnviz.runs.digests import damages
from cnnviz.runs.intact import newest, restore_first
from cnnviz.runs.records import mend_metrics
from cnnviz.runs.run import (
    Exists,
    Run,
    create,
    load_config,
    load_run,
    load_states,
    remove_unkept,
    save,
    write_summary,
)
from cnnviz.runs.summaries import read as read_summary

__all__ = [
    "Config",
    "Exists",
    "Run",
    "clear_unfinished",
    "create",
    "damages",
    "latest",
    "load_config",
    "load_run",
    "load_states",
    "mend_metrics",
    "newest",
    "read_summary",
    "remove_unkept",
    "restore_first",
    "save",
    "write_summary",
]
