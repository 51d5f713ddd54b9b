"""What each key of a scan file means, in one sentence, for editors and for the reference."""

from __future__ import annotations

from scanspec import keys
from scanspec.keys import Keys

_TEXTS = {
    "unit": "The unit, for tables and pictures.",
    "label": "The label of axes, with LaTeX between $ signs.",
    "description": "A text for readers, without effect.",
}
_SECTIONS = {
    "setup": "The type of the scan, its name, and when it stops.",
    "variables": "The parameters of the scan, each with a range.",
    "derived_variables": "Expressions in the variables. Each is also a column of the results.",
    "blocks": "Entries of the SLHA template to change or to add, block by block.",
    "fitting": "Variables that are solved for at each point, so that observables meet their targets.",
    "networks": "Which points are good, and the settings of the search.",
    "codes": "The physics codes, which run in the order of the file.",
    "observables": "Observables that are computed after the last code.",
    "likelihoods": "Likelihoods of several observables, asymmetric errors, limits that are curves, and tables.",
    "plotting": "Pictures that are drawn at the end of the scan.",
}
_SETUP = {
    "run_name": "The name of the run's folder in runs/. Default: the name of the file.",
    "type": "How points are chosen. Default: LODE.",
    "goal": "map: cover the good region evenly. collect: find many good points soon. Default: map.",
    "even_in": "The variables and observables in which the map is even. Default: all variables.",
    "points": "The scan stops at this number of good points. Default: 1000.",
    "init_csv": "A table of points to start from. The type READ_CSV evaluates the rows of this table and nothing else.",
    "seed": "The random seed.",
    "max_evaluations": "The scan stops after this number of evaluations.",
    "max_hours": "The scan stops after this time, in hours.",
    "seconds_per_point": "About how long one point takes, in seconds. If points are slow, batches are small.",
    "population_size": "The number of points in a generation. Default: 4 + 3 ln d for d variables.",
    "sigma": "The first step size, as a fraction of the unit cube. Default: 0.3.",
    "sigma_tolerance": "A search ends when its step size is below this. Default: 1e-4.",
    "mean": "Where every search starts, in the unit cube. Default: a random place.",
    "generations": "The largest number of generations of one search.",
    "episodes": "The largest number of searches.",
    "novelty": "How the novelty of a point is measured.",
    "novelty_settings": "The number of bins of HBOS, or the direction of Optimiser.",
    "novelty_bins": "The number of bins of HBOS. Default: 100.",
    "focus": "The variables and observables in which a point is new. Default: all of them.",
    "hierarchy": "Observables whose bounds (CFUNCTION) must hold before the other observables count.",
    "seeds_csv": "A table. The first search starts at a random row of it.",
    "start_csv": "A table. The first search starts at its best row.",
    "max_loss": "The largest loss of one constraint that a search takes into account.",
    "good_points_early_stop": "The scan stops at this number of good points, instead of at `points`.",
    "no_good_points_patience": (
        "The number of generations without a good point after which the scan may end. Default: 5000."
    ),
    "best_loss_patience": "The number of generations without a lower loss after which the scan may end. Default: 200.",
    "best_valid_constraints_patience": (
        "The number of generations without a higher number of fulfilled constraints, after which the scan may end. "
        "Default: 2000."
    ),
    "environment": "The environment in which the codes run: NAME, for locks/NAME.txt. Default: evaluator.",
    "environment_variables": "Environment variables for the codes.",
    "spectrum_file": "The name of the spectrum file, in files of BSMArt.",
    "skip_slha_files": "A key of BSMArt without effect: a program always gets files.",
    "keep_spectra": "The points whose spectrum files are kept. Default: good.",
}
_VARIABLE = _TEXTS | {
    "range": "The lowest and the highest value.",
    "prior": "The density from which points are drawn. Default: uniform.",
    "type": "integer allows whole numbers only. Default: real.",
    "values": "The only values that the variable may have, all equally likely.",
    "periodic": "Both ends of the range are the same point, as for a phase.",
    "steps": "The number of steps of a GRID.",
}
_CODE = {
    "run": "false turns the code off. Default: true.",
    "observables": "The values that the code computes. A value can have a likelihood.",
    "conditions": "Conditions that are checked after the code has run. If one does not hold, the point is INVALID.",
    "timeout": "The longest time that the code may take for a point, in seconds. Default: 600.",
    "first_timeout": (
        "The same until a first point has ended, in seconds, for codes that compile at their first point."
    ),
    "description": "A text for readers, without effect.",
    "data": "Files and folders that the code reads. If they change, the run cannot continue.",
    "cores": "The number of processor cores that a point takes. Default: 1.",
    "memory": "The memory that a point may take.",
    "function": "A Python function, in a module beside the scan file.",
    "command": "A program with its arguments; {input} and {output} stand for its files.",
    "flavio": "Observables of flavio, from Wilson coefficients.",
    "umbridge": "A model at a UM-Bridge server.",
    "profile": "The known program that this code runs, unless the name of the code is that of the program.",
    "input_file": "The SLHA template beside the scan file, with expressions for values.",
    "input_name": "The name of the program's input file.",
    "output_file": "The name of the file that the program writes.",
    "append": "The output is appended to the spectrum, instead of replacing it.",
    "success": "How a successful run of the program is recognised.",
    "invalid_when": "How an unphysical point is recognised.",
    "flags": "Entries of the spectrum that must not show an error.",
    "options": "Options of HiggsBounds or HiggsSignals.",
    "neutral_higgs": "The number of neutral Higgs bosons.",
    "charged_higgs": "The number of charged Higgs bosons.",
    "lsp": "The particles that may be the dark matter.",
    "cross_sections": "micrOMEGAs also computes cross sections.",
    **dict.fromkeys(keys.OF_TOYS, "A constant of the tool toy_targets."),
}
_OBSERVABLE = _TEXTS | {
    "slha": "The entry of the spectrum that holds the value.",
    "scale": "The scale Q of the block, in GeV.",
    "column": "The column of the value, from 1.",
    "under": "Selects a table of the block, by the first words of the line above the table.",
    "line": (
        "Selects a line of a cross section by its first numbers: scale scheme, orders in QCD and EW, kappas, PDF."
    ),
    "function": "An expression in variables and earlier observables.",
    "flavio": "The observable of flavio.",
    "measurement": "The measurement of flavio for the likelihood. true: the only one that flavio has.",
    "scaling": "The form of the likelihood. Default: GAUSS with mean and sigma, otherwise OFF.",
    "mean": "The central value of the likelihood.",
    "sigma": "The standard deviation of the likelihood.",
    "range": "Replaces mean and sigma: the values one sigma below and above the mean.",
    "lower_bound": "The lower bound of a CFUNCTION.",
    "upper_bound": "The upper bound of a CFUNCTION.",
    "log_scaling": "Whether a CFUNCTION measures the distance in ln x.",
    "valid": "The window of physical values. A point outside of it is INVALID.",
}
_TERM = {
    "observables": "The observables on which the likelihood depends.",
    "mean": "The central values.",
    "covariance": "The covariance matrix.",
    "sigma": "The standard deviations, or {plus: ..., minus: ...} of asymmetric errors.",
    "correlation": "The correlation matrix.",
    "scaling": "The form of the likelihood.",
    "limit": "A file with two columns: x, and the bound on y there.",
    "confidence": "The confidence level of the limit. Default: 0.95.",
    "table": "A file with -ln L on a grid of the observables.",
}
_NETWORKS = {
    "threshold_value": "Points with an NLL below this are good. Default: 100.",
    "confidence": "Replaces threshold_value: the good points are the region of this confidence level around the best.",
    "degrees_of_freedom": "The degrees of freedom of `confidence`. Default: the number of free variables.",
    "verbose": "How much is logged. Default: 0.",
    "points_per_iteration": "The number of points that are evaluated in an iteration.",
    "bootstrap_points": "The number of random points before the first training. Default: 100.",
    "candidate_points": "The number of candidates in an iteration. Default: 500.",
    "k_initial": "The number of neighbours that SMOTE uses. Default: 5.",
    "batch_size": "The number of points in a batch of the training. Default: 500.",
    "iterations": "The largest number of iterations. Default: 10.",
    "epochs": "The number of epochs of a training. Default: 250.",
    "neurons": "The number of neurons of a layer. Default: 100.",
    "random_fraction": "The share of the points of an iteration that is drawn at random. Default: 0.2.",
    "learning_rate": "The learning rate of the training. Default: 0.01.",
}

MEANINGS: list[tuple[Keys, dict[str, str]]] = [
    (keys.SECTIONS, _SECTIONS),
    (keys.SETUP, _SETUP),
    (keys.VARIABLE, _VARIABLE),
    (keys.CODE, _CODE),
    (keys.OBSERVABLE, _OBSERVABLE),
    (keys.TERM, _TERM),
    (keys.NETWORKS, _NETWORKS),
    (
        keys.PRIOR,
        {
            "type": "The shape of the density.",
            "mean": "The mean of a normal prior.",
            "sigma": "The standard deviation of a normal prior.",
            "low": "The lowest value.",
            "high": "The highest value.",
        },
    ),
    (
        keys.FITTING,
        {
            "variables": "The variables to solve for, each with a range.",
            "observables": "The observables that must reach their targets.",
            "method": "A root finder or minimiser of scipy.optimize.",
            "options": "Settings of the method.",
        },
    ),
    (
        keys.FITTING_OBSERVABLE,
        {
            "target": "The value that the observable must reach.",
            "sigma": "The tolerance. Default: a thousandth of the target.",
        },
    ),
    (
        keys.FITTING_OPTIONS,
        {
            "eps": "The step of finite differences, as a share of the range. Default: 1e-4.",
            "max_evaluations": "The largest number of runs of the codes for one point. Default: 200.",
        },
    ),
    (
        keys.SUCCESS,
        {"exit_codes": "Exit codes of success. Default: 0.", "blocks": "Blocks that the output must have."},
    ),
    (
        keys.INVALID_WHEN,
        {
            "exit_codes": "Exit codes that mean an unphysical point.",
            "stderr": "A regular expression in standard error that means an unphysical point.",
            "spinfo": "Whether entry 4 of the block SPINFO means an unphysical point. Default: true.",
        },
    ),
    (
        keys.FLAVIO,
        {
            "eft": "The effective theory of the coefficients, as wilson names it.",
            "basis": "The basis of the coefficients.",
            "scale": "The scale at which the coefficients are defined, in GeV.",
            "coefficients": "An expression for each coefficient, or a list with its real and imaginary part.",
            "wcxf": "Replaces all other keys: the WCxf file that an earlier code wrote.",
        },
    ),
    (
        keys.UMBRIDGE,
        {
            "address": "The web address of the server.",
            "model": "The name of the model on this server.",
            "inputs": "Expressions for all inputs of the model, in order. Default: the variables.",
            "outputs": "Names for all outputs of the model, in order.",
            "config": "A mapping that is passed to the model unchanged.",
        },
    ),
    (keys.SIGMA, {"plus": "The error above the mean.", "minus": "The error below the mean."}),
    (
        keys.PLOTTING,
        {
            "strategy": "The points that are drawn. csv adds a picture of every pair of variables. Default: valid.",
            "plots": "The pictures, by their names.",
        },
    ),
    (
        keys.PLOT,
        {
            "values": "The columns to draw: x, then one or more y.",
            "labels": "The labels of the axes.",
            "ranges": "The ranges of the axes.",
            "scaling": "The scales of the axes.",
            "contours": "Levels of the third value, or their number.",
        },
    ),
    (keys.THRESHOLD, {"above_best": "A point is good if its NLL is less than this number above the lowest NLL found."}),
]


def meanings(known: Keys) -> dict[str, str]:
    """The meaning of each key of a section."""
    return next(found for of, found in MEANINGS if of is known)
