"""SECTIONS: what `benchmarks/accelerator.py` measures, in order of worth; each gives cases, one after another."""

SECTIONS = {  # each one's part of what time is left to it and to those after it; the rest goes to what was not reached
    "training": ("benchmarks.accelerated.training:cases", 0.3),
    "epochs": ("benchmarks.accelerated.epochs:cases", 0.05),
    "seeds": ("benchmarks.accelerated.training:seeds", 0.07),
    "maps": ("benchmarks.accelerated.maps:cases", 0.35),
    "passes": ("benchmarks.accelerated.passes:cases", 0.05),
    "roofline": ("benchmarks.accelerated.roofline:cases", 0.05),
    "agreement": ("benchmarks.accelerated.agreement:cases", 0.15),
    "rewrites": ("benchmarks.accelerated.rewrites:cases", 0.1),
    "chunks": ("benchmarks.accelerated.rewrites:chunks", 0.05),
    "trace": ("benchmarks.accelerated.trace:cases", 0.05),
}
