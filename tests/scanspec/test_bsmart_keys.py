"""Keys of BSMArt that have little or no meaning here: some are only named in a note, others are refused."""

import pytest

from scanspec import ScanFileError
from tests.scanspec.small_scan import BASE


def test_keys_without_a_meaning_are_named_once(read):
    scan = read(
        "MPI: {Size: 1}\n"
        "setup: {csv: 'True', Use TQDM: 'False', Cores: 4, Store Inputs: 'True', debug: 'False'}\n"
        "variables:\n  a: {RANGE: [0, 1], VARIANCE: 0.3}\n  b: {RANGE: [0, 1], VARIANCE: 0.3}\n"
        "Networks: {Estimators: 3}\n"
        "codes:\n  toy:\n    function: toy:f\n    Observables: {x: {MEAN: 1, VARIANCE: 2, TYPE: Observable}}\n"
    )
    assert list(scan.ignored) == [
        "MPI",
        "setup: csv",
        "setup: Use TQDM",
        "setup: Cores",
        "setup: debug",
        "Networks: Estimators",
        "variables: a: VARIANCE",
        "variables: b: VARIANCE",
        "codes: toy: Observables: x: TYPE",
    ]
    (note,) = scan.notes
    assert note.startswith("setup: Store Inputs keeps nothing here")


def test_two_names_of_bsmart_for_one_key_may_say_the_same(read, fault):
    body = "variables: {a: [0, 1]}\ncodes: {c: {function: 'm:f', observables: {x: {mean: 1, sigma: 2}}}}\n"
    setup = "Setup: {{StoreAllPoints: 'True', Store Output Files: '{}'}}\n"
    assert read(setup.format("True") + body).setup.text("keep_spectra") == "valid"
    assert "same key; keep one" in fault(setup.format("False") + body)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("StoreSeparateFiles", "StoreSeparateFiles is always so: the spectrum files"),
        ("StoreInputs", "StoreInputs keeps nothing here; this writes the files of any point anew"),
        ("Store Inputs", "Store Inputs keeps nothing here"),
        ("StoreEverything", "`lodescan-evaluator point FILE NAME=VALUE ... --keep DIR`"),
        ("Store Invalid", "Store Invalid is always so: unphysical points are in the dataset"),
        ("Resume", "Resume is always so: the same command goes on"),
    ],
)
def test_a_setting_that_is_on_names_the_other_way_to_get_it(read, key, words):
    body = "variables: {a: [0, 1]}\ncodes: {c: {function: 'm:f', observables: {x: {mean: 1, sigma: 2}}}}\n"
    (note,) = read(f"Setup: {{{key}: 'True'}}\n{body}").notes
    assert note.startswith("Setup: ") and words in note
    assert read(f"Setup: {{{key}: 'False'}}\n{body}").notes == ()


@pytest.mark.parametrize(
    ("name", "closest", "word"),
    [
        ("MCMC", "LODE", "no samples of a posterior"),
        ("mcmc", "LODE", "no samples of a posterior"),
        ("Multinest", "LODE", "no samples of a posterior"),
        ("MultiNest", "LODE", "evenly"),
        ("AffineMC", "LODE", "evenly"),
        ("AL", "LODE", "evenly"),
        ("DLScanner", "MLS_DNNC", "networks"),
        ("MLS", "MLS_DNNC", "networks"),
        ("MLScanner.MLS_SVR_RBF", "MLS_DNNC", "networks"),
        ("Contour2D", "LODE", "border"),
        ("ContourGP", "LODE", "border"),
        ("Vegas", "LODE", "evenly"),
        ("DEAP", "CMAES", "lowest NLL"),
        ("Diver", "CMAES", "lowest NLL"),
        ("read_dir", "READ_CSV", "folders of spectra"),
        ("read_dir_mpi", "READ_CSV", "folders of spectra"),
    ],
)
def test_a_missing_type_of_bsmart_names_the_closest_one(read, name, closest, word):
    # its variables may have settings that only this type understands, so the type is checked first
    with pytest.raises(ScanFileError, match=r"line 1: type '.*' is a scan of BSMArt") as caught:
        read(f"setup: {{Type: {name}}}\nvariables: {{a: 'np.linspace(0)', b: }}\n")
    assert f"{name!r} is" in str(caught.value)
    assert f"the closest is `type: {closest}`" in str(caught.value)
    assert word in str(caught.value)


@pytest.mark.parametrize("key", ["Nonsense: 3", "Nonsense: {a: 1}"])
def test_a_missing_type_is_refused_before_its_keys(read, key):
    for order in (f"{{{key}, Type: DEAP}}", f"{{type: MCMC, {key}}}"):
        with pytest.raises(ScanFileError, match=r"is a scan of BSMArt that lodescan does not have"):
            read(f"setup: {order}\nvariables: {{a: [0, 1]}}\n")


OF_OTHER_CLASSIFIERS = (
    *("Estimators", "Max_Depth", "Min_Samples_Split", "Min_Samples_Leaf", "Subsample"),
    *("C", "Degree", "Gamma", "Epsilon", "Target_Points", "Target Points"),
)


def test_settings_of_trees_and_support_vectors_are_named_once(read):
    """A user who follows the advice to take MLS_DNNC still has these settings in the file."""
    own = {"Bootstrap_Points": 50, "LearningRate": 0.1, **dict.fromkeys(OF_OTHER_CLASSIFIERS, 3)}
    text = "".join(f"  {key}: {value}\n" for key, value in own.items())
    for kind in ("GBR", "RFC", "RFR", "SVR_Poly", "SVR_RBF"):
        with pytest.raises(ScanFileError, match=f"'MLScanner.MLS_{kind}' is a scan of BSMArt") as caught:
            read(f"setup: {{Type: MLScanner.MLS_{kind}}}\nNetworks:\n{text}variables: {{a: [0, 1]}}\n")
        assert str(caught.value).count("is a scan of BSMArt") == 1 and "Estimators" not in str(caught.value)
    body = "variables: {a: [0, 1]}\ncodes: {c: {function: 'm:f', observables: {x: {mean: 1, sigma: 2}}}}\n"
    scan = read(f"Setup: {{Type: MLScanner.MLS_DNNC}}\nNetworks:\n{text}{body}")
    assert sorted(scan.ignored) == sorted(f"Networks: {key}" for key in OF_OTHER_CLASSIFIERS)
    assert scan.networks.integer("bootstrap_points") == 50


SETUP_OF_BSMART = """RunName|Type|Points|Cores|InitCSV|csv|csv name|Output File|Spectrum File|Precision
|Short|StoreAllPoints|Store Output Files|StoreSeparateFiles|StoreEverything
|StoreInputs|Store Invalid|Store In Memory|SLHA_Output|Skip SLHA Files
|Temporary Directory|debug|Resume|Merge Results|Use TQDM|LogLike|Store Inputs
|OutputFile|Debug|DensityPenalty|Batch_size|Input_CSV_File|Input_Dir|LR|Neurons|Epochs
|Iterations|Classifier|TrainLH|DensityPenality|CMAES MaxLoss|Sigma Tolerance
|Initial Sample|Walkers|Steps|Valid Points|Sample LogLike Name|Sample NLL Name
|Sample Likelihood Name|Live Points|Evidence Tolerance|Sampling Efficiency
|MultiNestLib|DiverLib|NP|Convergence Threshold|Max Civilisations|Function|Threshold
|N0|Bad value|Fail Value|Noise|Grid Size|Sample Size|Initial Points|DEAP|n_cores
|CMAESEpisodes|CMAESPopulationSize|CMAESMaxGenerations|CMAESMean|CMAESSigma|CMAESPathSeeds
|CMAESNoveltyDetection|CMAESNoveltyDetectionParams|CMAESHBOSNBins|CMAESFocus|CMAESHierarchy
|CMAESNoGoodPointsPatience|CMAESGoodPointsEarlyStop|CMAESBestLossPatience
|CMAESBestNValidConstraintsPatience|TempDir|TestCSV|Benchmark|Sample Best Only
|Sample Multiplier|Patience|Batch Size|Verbose|Number of parameters"""


NETWORKS_OF_BSMART = """Candidate_Points|Bootstrap_Points|Points_Per_Iteration|Kinitial|Threshold_Value
|Random_Fraction|Batch Size|Neurons|Epochs|LearningRate|Iterations|Verbose|Estimators
|Max_Depth|Target_Points|MLmodel|HiddenSize|HiddenLayers|SGDmomentum|DSteps
|WeightDecay|K|L|FromGood|Epsilon|Diversity Alpha|FullTrain|AutoStop|Method|Threshold
|Hidden_Layers|Use_Vegas_Map|Vegas_Frac|Vegas_Ninc|Random_Points"""


@pytest.mark.parametrize(("section", "text"), [("Setup", SETUP_OF_BSMART), ("Networks", NETWORKS_OF_BSMART)])
def test_every_key_of_bsmart_is_known(read, section, text):
    for key in text.replace("\n", "").split("|"):
        read(BASE + f"{section}: {{{key}: {'RANDOM' if key == 'Type' else 1}}}\n")


@pytest.mark.parametrize("key", ["HiggsBounds Dataset", "QNUMBERS file", "Initialization File", "PDGs"])
def test_keys_of_bsmarts_tools_are_named(read, key):
    scan = read(BASE.replace("function: toy:f", f"function: toy:f\n    {key}: 1"))
    assert scan.ignored == (f"codes: toy: {key}",)


@pytest.mark.parametrize("key", ["LSP", "DD_Limits", "Options", "Neutral Higgs"])
def test_keys_of_tools_that_selected_points_say_how_to_select_them_here(read, key):
    scan = read(BASE.replace("function: toy:f", f"function: toy:f\n    {key}: 1"))
    assert scan.ignored == ()
    assert [note for note in scan.notes if key in note and "conditions" in note]


def test_an_unknown_key_of_a_tool_refers_to_the_page_on_bsmart(read):
    tool = "codes:\n  mine: {My Option: 3}"
    with pytest.raises(ScanFileError, match=r"unknown key 'My Option' in codes: mine.*of your own.*docs/bsmart\.md"):
        read(BASE.replace("codes:", tool))
    for way in "function: 'a:b'", "Command: ./a", "flavio: {}", "umbridge: {}":
        with pytest.raises(ScanFileError, match=r"(?m)unknown key 'timeot' in codes: mine; did you mean 'timeout'[?]$"):
            read(BASE.replace("codes:", f"codes:\n  mine: {{{way}, timeot: 3}}"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Setup: {Kinitial: 5}", "unknown key 'Kinitial' in Setup; it is a key of the section Networks"),
        ("setup: {threshold_value: 1}", "in setup; it is a key of the section networks"),
        ("Networks: {Points: 100}", "in Networks; it is a key of the section Setup"),
        ("networks: {Cores: 2}", "in networks; it is a key of the section Setup"),
        ("networks: {seed: 2}", "it is a key of the section setup"),
        ("run_name: a", "unknown key 'run_name'; it is a key of the section setup"),
        ("Epochs: 3", "unknown key 'Epochs'; it is a key of the section Networks"),
        ("setup: {likelihoods: {a: 1}}", "it is a key of the whole file, beside setup"),
        ("setup: {timeout: 60}", "in setup; it is a key of the code: codes: {NAME: {...}}"),
        ("memory: 2", "unknown key 'memory'; it is a key of the code: codes: {NAME: {...}}"),
        ("setup: {threshold: 3}", "in setup; did you mean 'threshold_value', of the section networks?"),
    ],
)
def test_the_message_for_a_key_in_the_wrong_section_names_the_right_one(fault, text, words):
    assert words in fault(f"{BASE}{text}\n")


def test_the_message_for_a_misplaced_key_of_an_entry_names_the_right_place(fault):
    for word in ("error", "std", "value"):
        assert f"unknown key {word!r} in observables: y; write mean: VALUE and sigma: UNCERTAINTY" in fault(
            f"{BASE}observables: {{y: {{function: m0, {word}: 1}}}}\n"
        )
    assert "in codes: toy; it is a key of the observable: observables: {NAME:" in fault(
        BASE.replace("function: toy:f", "function: toy:f\n    mean: 3")
    )
    assert "in variables: m0; it is a key of the prior: prior: {type: normal" in fault(
        BASE.replace("[0, 10]", "{range: [0, 10], sigma: 3}")
    )


@pytest.mark.parametrize("name", ["m0", "x"])
def test_the_hierarchy_may_hold_only_observables_with_bounds(fault, name):
    """The evaluator's check must not accept a file that the proposer refuses."""
    words = f"CMAESHierarchy: '{name}' is not an observable with the scaling CFUNCTION"
    assert words in fault(f"Setup: {{Type: CMAES_ND, CMAESHierarchy: [{name}]}}\n{BASE}")
