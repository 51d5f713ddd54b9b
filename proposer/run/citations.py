"""Works to cite for a run: those that its type of scan is based on."""

from __future__ import annotations

from scanspec import ScanFile
from scanspec.cmaes import read_novelty
from scanspec.settings import type_name

ALWAYS = (
    "lodescan: see CITATION.cff",
    "BSMArt, the scan file and the likelihoods: M. D. Goodsell, A. Joury, arXiv:2301.01154",
)
MLSCANNER = "MLscanner, the method MLS_DNNC: A. Hammad, M. Park, R. Ramos, P. Saha, arXiv:2207.09959"
SMOTE = "SMOTE: N. V. Chawla et al., J. Artif. Intell. Res. 16 (2002) 321, arXiv:1106.1813"
IMBALANCED_LEARN = "imbalanced-learn: G. Lemaitre, F. Nogueira, C. K. Aridas, J. Mach. Learn. Res. 18 (2017) 1"
PYTORCH = "PyTorch: A. Paszke et al., arXiv:1912.01703"
RESTARTS = "networks that begin again, in LODE: J. T. Ash, R. P. Adams, arXiv:1910.08475"
CMAES = (
    "CMA-ES, the method CMAES: N. Hansen, arXiv:1604.00772; the package: N. Hansen et al., doi:10.5281/zenodo.2559634"
)
NOVELTY = "CMA-ES with novelty, the method CMAES_ND: J. C. Romao, M. C. Romao, arXiv:2402.07661"
HBOS = "HBOS, the novelty of CMAES_ND: M. Goldstein, A. Dengel, KI-2012 (2012) 59"
SCIPY = "SciPy, the Sobol sequence: P. Virtanen et al., Nature Methods 17 (2020) 261, arXiv:1907.10121"


def citations(scan: ScanFile) -> list[str]:
    """Works to cite, a line each, for a scan of this file."""
    name = type_name(scan.setup)
    found = {
        "MLS_DNNC": (MLSCANNER, SMOTE, IMBALANCED_LEARN, PYTORCH),
        "LODE": (PYTORCH, RESTARTS),
        "SOBOL": (SCIPY,),
        "CMAES": (CMAES,),
        "CMAES_ND": (CMAES, NOVELTY),
    }.get(name, ())
    if name == "LODE" and scan.setup.text("goal", "map") == "collect":
        found = (*found, SMOTE)
    if name == "CMAES_ND" and read_novelty(scan.setup)[0] == "HBOS":
        found = (*found, HBOS)
    return [*ALWAYS, *found]
