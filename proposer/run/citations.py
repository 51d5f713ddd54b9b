"""Works to cite for a run, which its type of scan is based on, in words and as BibTeX."""

from __future__ import annotations

from typing import NamedTuple

from scanspec import VERSION, ScanFile
from scanspec.cmaes import read_novelty
from scanspec.settings import type_name


class Citation(NamedTuple):
    """A work in words, for manifest.json, and its entries in BibTeX, for the report."""

    words: str
    bibtex: str


LODESCAN = Citation(
    "lodescan: see CITATION.cff",
    f"""@misc{{lodescan,
  author = {{{{lodescan authors}}}},
  title = {{{{lodescan: finds the good regions of a parameter space with few evaluations of an expensive code}}}},
  howpublished = {{software, version {VERSION}}}, year = {{2026}}
}}
""",
)
BSMART = Citation(
    "BSMArt, the scan file and the likelihoods: M. D. Goodsell, A. Joury, arXiv:2301.01154",
    """@misc{Goodsell:2023iac,
  author = {Goodsell, Mark D. and Joury, Ari},
  title = {{BSMArt: simple and fast parameter space scans}},
  eprint = {2301.01154}, archivePrefix = {arXiv}, primaryClass = {hep-ph}, year = {2023}
}
""",
)
MLSCANNER = Citation(
    "MLscanner, the method MLS_DNNC: A. Hammad, M. Park, R. Ramos, P. Saha, arXiv:2207.09959",
    """@misc{Hammad:2022wpq,
  author = {Hammad, A. and Park, Myeonghun and Ramos, Raymundo and Saha, Pankaj},
  title = {{Exploration of Parameter Spaces Assisted by Machine Learning}},
  eprint = {2207.09959}, archivePrefix = {arXiv}, primaryClass = {hep-ph}, year = {2022}
}
""",
)
SMOTE = Citation(
    "SMOTE: N. V. Chawla et al., J. Artif. Intell. Res. 16 (2002) 321, arXiv:1106.1813",
    """@article{Chawla:2002,
  author = {Chawla, N. V. and Bowyer, K. W. and Hall, L. O. and Kegelmeyer, W. P.},
  title = {{SMOTE: Synthetic Minority Over-sampling Technique}},
  journal = {J. Artif. Intell. Res.}, volume = {16}, pages = {321}, year = {2002},
  eprint = {1106.1813}, archivePrefix = {arXiv}
}
""",
)
IMBALANCED_LEARN = Citation(
    "imbalanced-learn: G. Lemaitre, F. Nogueira, C. K. Aridas, J. Mach. Learn. Res. 18 (2017) 1",
    """@article{Lemaitre:2017,
  author = {Lema{\\^i}tre, Guillaume and Nogueira, Fernando and Aridas, Christos K.},
  title = {{Imbalanced-learn: A Python Toolbox to Tackle the Curse of Imbalanced Datasets in Machine Learning}},
  journal = {J. Mach. Learn. Res.}, volume = {18}, number = {17}, pages = {1}, year = {2017}
}
""",
)
PYTORCH = Citation(
    "PyTorch: A. Paszke et al., arXiv:1912.01703",
    """@misc{Paszke:2019xhz,
  author = {Paszke, Adam and others},
  title = {{PyTorch: An Imperative Style, High-Performance Deep Learning Library}},
  eprint = {1912.01703}, archivePrefix = {arXiv}, primaryClass = {cs.LG}, year = {2019}
}
""",
)
RESTARTS = Citation(
    "networks that begin again, in LODE: J. T. Ash, R. P. Adams, arXiv:1910.08475",
    """@misc{Ash:2019,
  author = {Ash, Jordan T. and Adams, Ryan P.},
  title = {{On Warm-Starting Neural Network Training}},
  eprint = {1910.08475}, archivePrefix = {arXiv}, primaryClass = {cs.LG}, year = {2019}
}
""",
)
CMAES = Citation(
    "CMA-ES, the method CMAES: N. Hansen, arXiv:1604.00772; the package: N. Hansen et al., doi:10.5281/zenodo.2559634",
    """@misc{Hansen:2016,
  author = {Hansen, Nikolaus},
  title = {{The CMA Evolution Strategy: A Tutorial}},
  eprint = {1604.00772}, archivePrefix = {arXiv}, primaryClass = {cs.LG}, year = {2016}
}
@misc{pycma,
  author = {Hansen, Nikolaus and others},
  title = {{CMA-ES/pycma}}, doi = {10.5281/zenodo.2559634}
}
""",
)
NOVELTY = Citation(
    "CMA-ES with novelty, the method CMAES_ND: J. C. Romao, M. C. Romao, arXiv:2402.07661",
    """@misc{Romao:2024,
  author = {Rom{\\~a}o, Jorge Crispim and Crispim Rom{\\~a}o, Miguel},
  title = {{Combining Evolutionary Strategies and Novelty Detection to go Beyond the Alignment Limit
    of the $Z_3$ 3HDM}},
  eprint = {2402.07661}, archivePrefix = {arXiv}, primaryClass = {hep-ph}, year = {2024}
}
""",
)
HBOS = Citation(
    "HBOS, the novelty of CMAES_ND: M. Goldstein, A. Dengel, KI-2012 (2012) 59",
    """@inproceedings{Goldstein:2012,
  author = {Goldstein, Markus and Dengel, Andreas},
  title = {{Histogram-based Outlier Score (HBOS): A fast Unsupervised Anomaly Detection Algorithm}},
  booktitle = {KI-2012: Poster and Demo Track}, pages = {59}, year = {2012}
}
""",
)
SCIPY = Citation(
    "SciPy, the Sobol sequence: P. Virtanen et al., Nature Methods 17 (2020) 261, arXiv:1907.10121",
    """@article{Virtanen:2020,
  author = {Virtanen, Pauli and others},
  title = {{SciPy 1.0: Fundamental Algorithms for Scientific Computing in Python}},
  journal = {Nature Methods}, volume = {17}, pages = {261}, year = {2020},
  eprint = {1907.10121}, archivePrefix = {arXiv}
}
""",
)


def works(scan: ScanFile) -> list[Citation]:
    """Works to cite for a scan of this file."""
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
    return [LODESCAN, BSMART, *found]


def citations(scan: ScanFile) -> list[str]:
    """The works in words, one line per work."""
    return [work.words for work in works(scan)]


def bibtex(scan: ScanFile) -> str:
    """The works as BibTeX."""
    return "".join(work.bibtex for work in works(scan))
