"""BSMArt 2.0.2's spelling of the keys of a scan file, section by section, and keys without meaning here.

BSMArt, its documents or its examples have the keys without meaning. They are accepted, and named once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from scanspec import keys
from scanspec.document import nearest
from scanspec.keys import Keys


@dataclass(frozen=True)
class Spelling:
    """The keys of one section, the plain keys of other spellings, and keys without meaning."""

    keys: Keys
    others: dict[str, str]
    without_meaning: frozenset[str] = frozenset()

    @cached_property
    def first(self) -> dict[str, str]:
        """BSMArt's spelling of each plain key that has one; the first of several."""
        return {plain: spelling for spelling, plain in reversed(self.others.items())}

    def plain(self, spelling: object) -> str | None:
        """The plain key that a spelling stands for; None for an unknown one."""
        if not isinstance(spelling, str):
            return None
        return spelling if spelling in self.keys.known else self.others.get(spelling)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split("|"))


_OF_OTHER_SCANS = _words("TYPE|MIN|MAX|LOG SCALING")
_OF_ITS_FIT = _words("ftol|disp|max_safe|Overloads")
_OF_ITS_PLOTS = _words("Shortcuts")

SECTIONS = Spelling(
    keys.SECTIONS,
    {
        "Setup": "setup",
        "Variables": "variables",
        "Derived Variables": "derived_variables",
        "Blocks": "blocks",
        "Fitting": "fitting",
        "Networks": "networks",
        "Codes": "codes",
        "Observables": "observables",
        "Plotting": "plotting",
    },
    frozenset({"MPI"}),
)

SETUP = Spelling(
    keys.SETUP,
    {
        "RunName": "run_name",
        "Type": "type",
        "Goal": "goal",
        "Even_In": "even_in",
        "Points": "points",
        "InitCSV": "init_csv",
        "Input_CSV_File": "init_csv",
        "Seed": "seed",
        "Max_Evaluations": "max_evaluations",
        "Max_Hours": "max_hours",
        "CMAESPopulationSize": "population_size",
        "CMAESSigma": "sigma",
        "Sigma Tolerance": "sigma_tolerance",
        "CMAESMean": "mean",
        "CMAESMaxGenerations": "generations",
        "CMAESEpisodes": "episodes",
        "CMAESNoveltyDetection": "novelty",
        "CMAESNoveltyDetectionParams": "novelty_settings",
        "CMAESHBOSNBins": "novelty_bins",
        "CMAESFocus": "focus",
        "CMAESHierarchy": "hierarchy",
        "CMAESPathSeeds": "seeds_csv",
        "Initial Sample": "start_csv",
        "CMAES MaxLoss": "max_loss",
        "CMAESGoodPointsEarlyStop": "good_points_early_stop",
        "CMAESNoGoodPointsPatience": "no_good_points_patience",
        "CMAESBestLossPatience": "best_loss_patience",
        "CMAESBestNValidConstraintsPatience": "best_valid_constraints_patience",
        "Environment": "environment",
        "Environment Variables": "environment_variables",
        "Spectrum File": "spectrum_file",
        "Skip SLHA Files": "skip_slha_files",
        "StoreAllPoints": "keep_spectra",
        "Store Output Files": "keep_spectra",
    },
    _words(
        """csv|csv name|Output File|OutputFile|Cores|Precision|Short
        |StoreSeparateFiles|StoreEverything|StoreInputs|Store Inputs|Store Invalid|Store In Memory|SLHA_Output
        |Temporary Directory|TempDir|MAINpath|PackagePath|cwd|debug|Debug|short|Verbose
        |Resume|Merge Results|Use TQDM|LogLike|Batch_size|Batch Size|Input_Dir|TestCSV|Benchmark
        |LR|Neurons|Epochs|Iterations|Classifier|TrainLH|DensityPenality|DensityPenalty|DensityPenaly
        |Patience|Sample Best Only|Walkers|Steps|Valid Points
        |Sample LogLike Name|Sample NLL Name|Sample Likelihood Name|Live Points|Evidence Tolerance
        |Sampling Efficiency|MultiNestLib|DiverLib|NP|Number of parameters|Convergence Threshold
        |Max Civilisations|Function|Threshold|N0|Bad value|Fail Value|Noise|Grid Size|Sample Size
        |Sample Multiplier|Initial Points|DEAP|n_cores|store_points_in_memory|store_invalid_points"""
    ),
)

VARIABLE = Spelling(
    keys.VARIABLE,
    {
        "RANGE": "range",
        "Range": "range",
        "PRIOR": "prior",
        "Prior": "prior",
        "TYPE": "type",
        "Type": "type",
        "VALUES": "values",
        "Values": "values",
        "PERIODIC": "periodic",
        "Periodic": "periodic",
        "STEPS": "steps",
        "Steps": "steps",
        "Unit": "unit",
        "UNIT": "unit",
        "Label": "label",
        "LABEL": "label",
        "Description": "description",
    },
    frozenset({"VARIANCE", "Variance", "variance"}),
)

PRIOR = Spelling(
    keys.PRIOR,
    {
        "TYPE": "type",
        "Type": "type",
        "MEAN": "mean",
        "Mean": "mean",
        "SIGMA": "sigma",
        "Sigma": "sigma",
        "LOW": "low",
        "Low": "low",
        "HIGH": "high",
        "High": "high",
    },
)

CODE = Spelling(
    keys.CODE,
    {
        "Run": "run",
        "Function": "function",
        "Command": "command",
        "Profile": "profile",
        "InputFile": "input_file",
        "OutputFile": "output_file",
        "Append": "append",
        "Flags": "flags",
        "Options": "options",
        "Neutral Higgs": "neutral_higgs",
        "Charged Higgs": "charged_higgs",
        "LSP": "lsp",
        "Cross-sections": "cross_sections",
        "Rosenbrock a": "rosenbrock_a",
        "Rosenbrock b": "rosenbrock_b",
        "Rastrigin A": "rastrigin_a",
        "Ackley a": "ackley_a",
        "Ackley b": "ackley_b",
        "Ackley c": "ackley_c",
        "Himmelblau a": "himmelblau_a",
        "Himmelblau b": "himmelblau_b",
        "Easom center": "easom_center",
        "Observables": "observables",
        "Conditions": "conditions",
        "Timeout": "timeout",
        "First_Timeout": "first_timeout",
        "Success": "success",
        "Invalid_When": "invalid_when",
        "Description": "description",
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

FITTING = Spelling(
    keys.FITTING,
    {
        "Variables": "variables",
        "Observables": "observables",
        "Method": "method",
        "Options": "options",
    },
)

FITTING_OBSERVABLE = Spelling(
    keys.FITTING_OBSERVABLE,
    {
        "TARGET": "target",
        "Target": "target",
        "VARIANCE": "sigma",
        "SIGMA": "sigma",
    },
    _OF_ITS_FIT,
)

FITTING_OPTIONS = Spelling(
    keys.FITTING_OPTIONS,
    {
        "Max_Evaluations": "max_evaluations",
    },
    _OF_ITS_FIT,
)

SUCCESS = Spelling(
    keys.SUCCESS,
    {
        "Exit_Codes": "exit_codes",
        "Blocks": "blocks",
    },
    _OF_OTHER_SCANS,
)

INVALID_WHEN = Spelling(
    keys.INVALID_WHEN,
    {
        "Exit_Codes": "exit_codes",
        "Stderr": "stderr",
        "SPINFO": "spinfo",
        "Spinfo": "spinfo",
    },
    _OF_OTHER_SCANS,
)

OBSERVABLE = Spelling(
    keys.OBSERVABLE,
    {
        "SLHA": "slha",
        "Q": "scale",
        "Column": "column",
        "Under": "under",
        "Line": "line",
        "FUNCTION": "function",
        "SCALING": "scaling",
        "MEAN": "mean",
        "VARIANCE": "sigma",
        "SIGMA": "sigma",
        "RANGE": "range",
        "LOWER_BOUND": "lower_bound",
        "UPPER_BOUND": "upper_bound",
        "LOG_SCALING": "log_scaling",
        "VALID": "valid",
        "UNIT": "unit",
        "Unit": "unit",
        "Label": "label",
        "LABEL": "label",
        "Description": "description",
    },
    _OF_OTHER_SCANS,
)

PLOTTING = Spelling(
    keys.PLOTTING,
    {
        "Strategy": "strategy",
        "Plots": "plots",
    },
    _OF_ITS_PLOTS,
)

PLOT = Spelling(
    keys.PLOT,
    {
        "Values": "values",
        "Labels": "labels",
        "Ranges": "ranges",
        "Scaling": "scaling",
        "Contours": "contours",
    },
    _OF_ITS_PLOTS,
)

NETWORKS = Spelling(
    keys.NETWORKS,
    {
        "Bootstrap_Points": "bootstrap_points",
        "Candidate_Points": "candidate_points",
        "Points_Per_Iteration": "points_per_iteration",
        "Random_Fraction": "random_fraction",
        "Kinitial": "k_initial",
        "Threshold_Value": "threshold_value",
        "Batch Size": "batch_size",
        "Neurons": "neurons",
        "Epochs": "epochs",
        "LearningRate": "learning_rate",
        "Iterations": "iterations",
        "Verbose": "verbose",
    },
    _words(
        """Estimators|Max_Depth|Target_Points|MLmodel|HiddenSize|HiddenLayers|SGDmomentum|DSteps|WeightDecay|K|L
        |FromGood|Epsilon|Diversity Alpha|FullTrain|AutoStop|Method|Threshold|Hidden_Layers|Use_Vegas_Map
        |Vegas_Frac|Vegas_Ninc|Random_Points|Min_Samples_Split|Min_Samples_Leaf|Subsample|C|Degree|Gamma
        |Target Points"""
    ),
)

_HOMES = (
    # (the section of a key, its name in both spellings, the sections where people write the key by mistake)
    (SETUP, ("section setup", "section Setup"), (SECTIONS, NETWORKS)),
    (NETWORKS, ("section networks", "section Networks"), (SECTIONS, SETUP)),
    (SECTIONS, ("whole file, beside setup", "whole file, beside Setup"), (SETUP, NETWORKS)),
    (CODE, ("code: codes: {NAME: {...}}", "code: Codes: {NAME: {...}}"), (SECTIONS, SETUP, NETWORKS)),
    (OBSERVABLE, ("observable: observables: {NAME: {...}}", "observable: Observables: {NAME: {...}}"), (CODE,)),
    (PRIOR, ("prior: prior: {type: normal, ...}", "prior: PRIOR: {TYPE: GAUSS, ...}"), (VARIABLE,)),
)


_ENDS = ("min", "max", "low", "high", "lower", "upper", "from", "to", "start", "stop", "bounds", "limits", "interval")
"""Words of other programs for the ends of a range."""


_MEASURED = (
    "value",
    "central",
    "measured",
    "std",
    "stddev",
    "error",
    "err",
    "uncertainty",
    "unc",
    "deviation",
    "width",
)
"""Words of other programs for a mean and its uncertainty."""


def home_of(key: object, asked: Spelling) -> str:
    """A hint that names the section to which a misplaced key belongs; empty if no section has the key or a similar
    one.
    """
    if asked is VARIABLE and str(key).lower() in _ENDS:
        return "; write range: [low, high]"
    if asked is OBSERVABLE and str(key).lower() in _MEASURED:
        return "; write mean: VALUE and sigma: UNCERTAINTY"
    near = [(home, names) for home, names, misplaced in _HOMES if any(section is asked for section in misplaced)]
    found = [names for home, names in near if home.plain(key)]  # sections where the key has a meaning come first
    found += [names for home, names in near if key in home.without_meaning]
    if not found and not nearest(key, asked.keys.known):
        similar = ((nearest(key, home.keys.known), names[0]) for home, names in near)
        return next((f"{hint.removesuffix('?')}, of the {names}?" for hint, names in similar if hint), "")
    if not found:
        return ""
    return f"; it is a key of the {found[0][not any(key in home.keys.known for home, _ in near)]}"


PHYSICS_OF_TOOLS = _words("DD_Limits|Invisible Particles|Signal Strengths|setparameters")
"""Settings that changed which points BSMArt's tools accept, so leaving one out needs more than its name in a list."""
