"""What to cite, as BibTeX."""

from __future__ import annotations

_ALWAYS = """@software{lodescan,
  title = {lodescan: finds the good regions of a parameter space with few evaluations of an expensive physics code},
  note  = {see CITATION.cff}
}
@article{Goodsell:2023iac,
  author = {Goodsell, Mark D. and Joury, Ari},
  title = {{BSMArt: simple and fast parameter space scans}},
  eprint = {2301.01154}, archivePrefix = {arXiv}, primaryClass = {hep-ph}, year = {2023}
}
@article{Paszke:2019xhz,
  author = {Paszke, Adam and others},
  title = {{PyTorch: An Imperative Style, High-Performance Deep Learning Library}},
  eprint = {1912.01703}, archivePrefix = {arXiv}, primaryClass = {cs.LG}, year = {2019}
}
"""

_SMOTE = """@article{Chawla:2002,
  author = {Chawla, N. V. and Bowyer, K. W. and Hall, L. O. and Kegelmeyer, W. P.},
  title = {{SMOTE: Synthetic Minority Over-sampling Technique}},
  journal = {J. Artif. Intell. Res.}, volume = {16}, pages = {321}, year = {2002},
  eprint = {1106.1813}, archivePrefix = {arXiv}
}
@article{Lemaitre:2017,
  author = {Lema{\\^i}tre, Guillaume and Nogueira, Fernando and Aridas, Christos K.},
  title = {{Imbalanced-learn: A Python Toolbox to Tackle the Curse of Imbalanced Datasets in Machine Learning}},
  journal = {J. Mach. Learn. Res.}, volume = {18}, number = {17}, pages = {1}, year = {2017}
}
"""

_OF_METHOD = {
    "LODE": _SMOTE,
    "MLS_DNNC": """@article{Hammad:2022wpq,
  author = {Hammad, A. and Park, Myeonghun and Ramos, Raymundo and Saha, Pankaj},
  title = {{Exploration of Parameter Spaces Assisted by Machine Learning}},
  eprint = {2207.09959}, archivePrefix = {arXiv}, primaryClass = {hep-ph}, year = {2022}
}
"""
    + _SMOTE,
    "CMAES": """@article{Hansen:2016,
  author = {Hansen, Nikolaus},
  title = {{The CMA Evolution Strategy: A Tutorial}},
  eprint = {1604.00772}, archivePrefix = {arXiv}, primaryClass = {cs.LG}, year = {2016}
}
@software{pycma,
  author = {Hansen, Nikolaus and others},
  title = {{CMA-ES/pycma}}, doi = {10.5281/zenodo.2559634}
}
""",
    "CMAES_ND": """@article{Romao:2024,
  author = {Rom{\\~a}o, Jorge Crispim and Crispim Rom{\\~a}o, Miguel},
  title = {{Combining Evolutionary Strategies and Novelty Detection to go Beyond the Alignment Limit
    of the $Z_3$ 3HDM}},
  eprint = {2402.07661}, archivePrefix = {arXiv}, primaryClass = {hep-ph}, year = {2024}
}
@inproceedings{Goldstein:2012,
  author = {Goldstein, Markus and Dengel, Andreas},
  title = {{Histogram-based Outlier Score (HBOS): A fast Unsupervised Anomaly Detection Algorithm}},
  booktitle = {KI-2012: Poster and Demo Track}, pages = {59}, year = {2012}
}
""",
}


def bibtex(method: str) -> str:
    """Entries for lodescan, its scan file and its libraries, and for a method (a type of the scan file)."""
    return _ALWAYS + _OF_METHOD.get(method, "")
