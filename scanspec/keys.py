"""The keys of a scan file, section by section.

Each key has one plain spelling, which the documents use, and those of BSMArt 2.0.2.
Keys that BSMArt, its documents or its examples know, but that mean nothing here, are
accepted and named once; every other key is an error.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """The keys of one section: plain name to further spellings, and keys without meaning."""

    known: dict[str, tuple[str, ...]]
    without_meaning: frozenset[str] = frozenset()

    def plain(self, spelling: object) -> str | None:
        """The plain name that a spelling stands for; None for an unknown one."""
        for name, others in self.known.items():
            if spelling == name or spelling in others:
                return name
        return None

    def with_name(self, name: str) -> Keys:
        """The same with one more key."""
        return Keys({**self.known, name: ()}, self.without_meaning)

    def spellings(self) -> list[str]:
        """Every accepted spelling."""
        return [*self.known, *(other for others in self.known.values() for other in others)]


def _words(text: str) -> frozenset[str]:
    return frozenset(each.strip() for each in text.split("|"))


RESERVED_COLUMNS = (
    "id",
    "iteration",
    "origin",
    "status",
    "NLL",
    "seconds",
    "failed_code",
    "message",
    "warnings",
    "missing",
)
"""Columns of the tables of results; no variable and no observable may have these names, in whatever case: databases and
spreadsheets take `nll` and `NLL` for one.
"""

MAY_BE_EMPTY = frozenset(
    {
        "setup",
        "variables",
        "derived_variables",
        "blocks",
        "fitting",
        "networks",
        "codes",
        "observables",
        "environment_variables",
        "conditions",
        "options",
        "unit",
        "label",
        "description",
        "plotting",
        "plots",
    }
)
"""Plain names of keys that may stand in YAML without a value: sections with nothing in them, words for people."""

SECTIONS = Keys(
    {
        "setup": ("Setup",),
        "variables": ("Variables",),
        "derived_variables": ("Derived Variables",),
        "blocks": ("Blocks",),
        "fitting": ("Fitting",),
        "networks": ("Networks",),
        "codes": ("Codes",),
        "observables": ("Observables",),
        "plotting": ("Plotting",),
    },
    frozenset({"MPI"}),
)

SETUP = Keys(
    {
        "run_name": ("RunName",),
        "type": ("Type",),
        "goal": ("Goal",),
        "even_in": ("Even_In",),
        "points": ("Points",),
        "init_csv": ("InitCSV", "Input_CSV_File"),
        "seed": ("Seed",),
        "max_evaluations": ("Max_Evaluations",),
        "max_hours": ("Max_Hours",),
        "population_size": ("CMAESPopulationSize",),
        "sigma": ("CMAESSigma",),
        "sigma_tolerance": ("Sigma Tolerance",),
        "mean": ("CMAESMean",),
        "generations": ("CMAESMaxGenerations",),
        "episodes": ("CMAESEpisodes",),
        "novelty": ("CMAESNoveltyDetection",),
        "novelty_settings": ("CMAESNoveltyDetectionParams",),
        "novelty_bins": ("CMAESHBOSNBins",),
        "focus": ("CMAESFocus",),
        "hierarchy": ("CMAESHierarchy",),
        "seeds_csv": ("CMAESPathSeeds",),
        "good_points_early_stop": ("CMAESGoodPointsEarlyStop",),
        "no_good_points_patience": ("CMAESNoGoodPointsPatience",),
        "best_loss_patience": ("CMAESBestLossPatience",),
        "best_valid_constraints_patience": ("CMAESBestNValidConstraintsPatience",),
        "environment": ("Environment",),
        "environment_variables": ("Environment Variables",),
        "spectrum_file": ("Spectrum File",),
        "skip_slha_files": ("Skip SLHA Files",),
        "keep_spectra": ("StoreAllPoints", "Store Output Files"),
    },
    _words(
        """csv|csv name|Output File|OutputFile|Cores|Precision|Short
        |StoreSeparateFiles|StoreEverything|StoreInputs|Store Inputs|Store Invalid|Store In Memory|SLHA_Output
        |Temporary Directory|TempDir|MAINpath|PackagePath|cwd|debug|Debug|short|Verbose
        |Resume|Merge Results|Use TQDM|LogLike|Batch_size|Batch Size|Input_Dir|TestCSV|Benchmark
        |LR|Neurons|Epochs|Iterations|Classifier|TrainLH|DensityPenality|DensityPenalty|DensityPenaly
        |Patience|CMAES MaxLoss|Initial Sample|Sample Best Only|Walkers|Steps|Valid Points
        |Sample LogLike Name|Sample NLL Name|Sample Likelihood Name|Live Points|Evidence Tolerance
        |Sampling Efficiency|MultiNestLib|DiverLib|NP|Number of parameters|Convergence Threshold
        |Max Civilisations|Function|Threshold|N0|Bad value|Fail Value|Noise|Grid Size|Sample Size
        |Sample Multiplier|Initial Points|DEAP|n_cores"""
    ),
)

_MAKES_ANEW = (
    "keeps nothing here; this writes the files of any point anew: "
    "`lodescan-evaluator point FILE NAME=VALUE ... --keep DIR`"
)
IN_ANOTHER_WAY = {
    "StoreSeparateFiles": "is always so: the spectrum files of a point are in files/<id>/",
    "StoreInputs": _MAKES_ANEW,
    "Store Inputs": _MAKES_ANEW,
    "StoreEverything": _MAKES_ANEW,
    "Store Invalid": "is always so: unphysical points are in the dataset, with what made them so",
    "Resume": "is always so: the same command goes on",
}
"""What switches of BSMArt's `Setup` ask for, and lodescan has otherwise: to be said where one is on."""

VARIABLE = Keys(
    {
        "range": ("RANGE", "Range"),
        "prior": ("PRIOR", "Prior"),
        "type": ("TYPE", "Type"),
        "values": ("VALUES", "Values"),
        "periodic": ("PERIODIC", "Periodic"),
        "steps": ("STEPS", "Steps"),
        "unit": ("Unit", "UNIT"),
        "label": ("Label", "LABEL"),
        "description": ("Description",),
    },
    frozenset({"VARIANCE", "Variance", "variance"}),
)

PRIOR = Keys(
    {
        "type": ("TYPE", "Type"),
        "mean": ("MEAN", "Mean"),
        "sigma": ("SIGMA", "Sigma"),
        "low": ("LOW", "Low"),
        "high": ("HIGH", "High"),
    }
)

CODE = Keys(
    {
        "run": ("Run",),
        "function": ("Function",),
        "command": ("Command",),
        "profile": ("Profile",),
        "input_file": ("InputFile",),
        "output_file": ("OutputFile",),
        "append": ("Append",),
        "flags": ("Flags",),
        "options": ("Options",),
        "neutral_higgs": ("Neutral Higgs",),
        "charged_higgs": ("Charged Higgs",),
        "lsp": ("LSP",),
        "cross_sections": ("Cross-sections",),
        "rosenbrock_a": ("Rosenbrock a",),
        "rosenbrock_b": ("Rosenbrock b",),
        "rastrigin_a": ("Rastrigin A",),
        "ackley_a": ("Ackley a",),
        "ackley_b": ("Ackley b",),
        "ackley_c": ("Ackley c",),
        "himmelblau_a": ("Himmelblau a",),
        "himmelblau_b": ("Himmelblau b",),
        "easom_center": ("Easom center",),
        "observables": ("Observables",),
        "conditions": ("Conditions",),
        "timeout": ("Timeout",),
        "first_timeout": ("First_Timeout",),
        "success": ("Success",),
        "invalid_when": ("Invalid_When",),
        "flavio": (),
        "umbridge": (),
        "description": ("Description",),
    },
    _words(  # settings of tools that BSMArt has built in
        """HiggsBounds Dataset|HiggsSignals Dataset|Invisible Particles|Signal Strengths|DD_Limits|Path|Data Path|Cache
        |QNUMBERS file|Parameter file|model|settings|setparameters|PDGs|Initialization File|YAML file|cfg file
        |Config file|Efficiency Filename|Cutflow Filename|Histogram Filename|Store Cutflows|Store Events|Input Files
        |Processes|pdf sets|CMS|json output|MadGraph|MadGraph Path|MadGraph Directory|Proc Card|Process|Model_Dir
        |Output Directory|GridPack|Mode|MadSpin|Pythia|Pythia Card|python2|k-factor|Extra Commands|run_card Commands
        |Check Convergence|Check Absolute Convergence|Convergence Margin|Check Exclusion|Efficiency Threshold
        |Batch Size|Cores|HackAnalysis|analyseHEPMC|analysePYTHIA_LHE|Analyses|MA5 Path|MA5 Card"""
    ),
)

PHYSICS_OF_TOOLS = _words("DD_Limits|Invisible Particles|Signal Strengths|setparameters")
"""Those that changed which points BSMArt's tools let pass: to leave one out deserves more than its name."""

OF_PROFILES = {
    "options": ("HiggsBounds", "HiggsSignals"),
    "neutral_higgs": ("HiggsBounds", "HiggsSignals"),
    "charged_higgs": ("HiggsBounds", "HiggsSignals"),
    "lsp": ("micrOMEGAs",),
    "cross_sections": ("micrOMEGAs",),
}
"""Settings of BSMArt's tools that are read here, and the profiles that read them."""

FITTING = Keys(
    {
        "variables": ("Variables",),
        "observables": ("Observables",),
        "method": ("Method",),
        "options": ("Options",),
    }
)
FITTING_OBSERVABLE = Keys({"target": ("TARGET", "Target"), "sigma": ("VARIANCE", "SIGMA")})
FITTING_OPTIONS = Keys(
    {"eps": (), "max_evaluations": ("Max_Evaluations",)}, frozenset({"ftol", "disp", "max_safe", "Overloads"})
)

SUCCESS = Keys({"exit_codes": ("Exit_Codes",), "blocks": ("Blocks",)})
FLAVIO = Keys({"eft": (), "basis": (), "scale": (), "coefficients": (), "wcxf": ()})
UMBRIDGE = Keys({"address": (), "model": (), "inputs": (), "outputs": (), "config": ()})
INVALID_WHEN = Keys({"exit_codes": ("Exit_Codes",), "stderr": ("Stderr",), "spinfo": ("SPINFO", "Spinfo")})

OBSERVABLE = Keys(
    {
        "slha": ("SLHA",),
        "scale": ("Q",),
        "column": ("Column",),
        "under": ("Under",),
        "function": ("FUNCTION",),
        "flavio": (),
        "measurement": (),
        "scaling": ("SCALING",),
        "mean": ("MEAN",),
        "sigma": ("VARIANCE", "SIGMA"),
        "range": ("RANGE",),
        "lower_bound": ("LOWER_BOUND",),
        "upper_bound": ("UPPER_BOUND",),
        "log_scaling": ("LOG_SCALING",),
        "valid": ("VALID",),
        "unit": ("UNIT", "Unit"),
        "label": ("Label", "LABEL"),
        "description": ("Description",),
    },
    frozenset({"TYPE", "MIN", "MAX", "LOG SCALING"}),
)

PLOTTING = Keys({"strategy": ("Strategy",), "plots": ("Plots",)})
PLOT = Keys(
    {
        "values": ("Values",),
        "labels": ("Labels",),
        "ranges": ("Ranges",),
        "scaling": ("Scaling",),
        "contours": ("Contours",),
    },
    frozenset({"Shortcuts"}),
)

NETWORKS = Keys(
    {
        "bootstrap_points": ("Bootstrap_Points",),
        "candidate_points": ("Candidate_Points",),
        "points_per_iteration": ("Points_Per_Iteration",),
        "random_fraction": ("Random_Fraction",),
        "k_initial": ("Kinitial",),
        "threshold_value": ("Threshold_Value",),
        "batch_size": ("Batch Size",),
        "neurons": ("Neurons",),
        "epochs": ("Epochs",),
        "learning_rate": ("LearningRate",),
        "iterations": ("Iterations",),
        "verbose": ("Verbose",),
    },
    _words(
        """Estimators|Max_Depth|Target_Points|MLmodel|HiddenSize|HiddenLayers|SGDmomentum|DSteps|WeightDecay|K|L
        |FromGood|Epsilon|Diversity Alpha|FullTrain|AutoStop|Method|Threshold|Hidden_Layers|Use_Vegas_Map
        |Vegas_Frac|Vegas_Ninc|Random_Points"""
    ),
)
