"""ATTACKS: small changes of an image that change the answer, by name; `attacked` runs them.

An attack is a method of attribution whose raw values are the changed image: it sees one image and a `Score`, here the
logarithm of the true class's probability, and goes through the one runner.
"""

ATTACKS = {
    "fgsm": "cnnviz.metrics.attacks.fgsm:FGSM",
    "pgd": "cnnviz.metrics.attacks.pgd:PGD",
    "minimal": "cnnviz.metrics.attacks.minimal:Minimal",
}
