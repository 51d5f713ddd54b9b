"""Scan files that use every key, for the comparison of the JSON Schema with `check`."""

from __future__ import annotations

import json

from ruamel.yaml import YAML

LODE = """\
setup: {run_name: r, type: LODE, goal: map, even_in: [x, o], points: 10, seed: 1, max_evaluations: 100, max_hours: 2,
        seconds_per_point: 3, environment: evaluator, environment_variables: {A: b}, keep_spectra: good,
        skip_slha_files: false, init_csv: '', spectrum_file: s.slha}
variables:
  x: [0, 1]
  y: {range: [1, 2], prior: {type: normal, mean: 1, sigma: 0.1, low: 0, high: 3}, steps: 4}
  z: 5
  a: {range: [0.1, 2], prior: log-uniform, unit: GeV, label: $a$, description: text}
  b: {range: [0, 6.28], periodic: true}
  c: {range: [1, 4], type: integer}
  d: {values: [1, 2, 5]}
  e: {range: [1, 5], prior: symmetric-log}
  f: {range: [0, 3], prior: sine}
  g: {prior: {type: uniform, low: 0, high: 1}}
derived_variables: {s: x + y}
blocks: {MINPAR: {'2': x, '3,4': 1}}
codes:
  c1:
    function: m:f
    timeout: 5
    first_timeout: 50
    cores: 2
    memory: 8 GB
    data: [a.csv]
    description: text
    conditions: [o > 0]
    run: true
    observables: {o: {mean: 1, sigma: 1, valid: [0, 2], unit: GeV, label: $o$, description: t}, p: }
  c2:
    command: run {input}
    input_file: a.in
    input_name: b.in
    output_file: c.out
    append: false
    success: {exit_codes: [0, 1], blocks: [MASS]}
    invalid_when: {exit_codes: [2], stderr: bad, spinfo: true}
    flags: {high: [HB, 1]}
    observables:
      q: {slha: [MASS, 25], scale: 100, scaling: UPPER, range: [1, 3]}
      r: {slha: [MASS, [25]], column: 1, under: XS 11, scaling: 'OFF', mean: 1}
      t: {slha: [BR, [25, [5, -5]]], scaling: CFUNCTION, lower_bound: 0.1, log_scaling: false}
      u: {slha: [WIDTH, 25], scaling: USER}
      v: {slha: [XSECTION, [13000, 2212, 2212, 1000022]], line: [0, 2], scaling: BIAS, mean: 2, sigma: 1}
observables: {w: {function: x * 2, mean: 1, sigma: 2}}
networks: {threshold_value: 2, points_per_iteration: 50, verbose: 1}
plotting:
  strategy: valid
  plots: {one: {values: [x, y, o], labels: [a, b], ranges: [[0, 1], [0, 2]], scaling: [log, linear], contours: [1, 2]}}
"""
LODE = LODE.replace("ranges: [[0, 1]", "ranges: [[0.1, 1]")

CMAES_ND = """\
setup: {type: CMAES_ND, population_size: 10, sigma: 0.5, sigma_tolerance: 0.01, mean: 0.5, max_loss: 3, generations: 5,
        episodes: 2, novelty: HBOS, novelty_settings: {n_bins: 10, direction: min}, novelty_bins: 20, focus: [x],
        hierarchy: [o], good_points_early_stop: 5, no_good_points_patience: 5, best_loss_patience: 5,
        best_valid_constraints_patience: 5}
variables: {x: [0, 1], y: {range: [0, 1]}}
codes: {c: {function: m:f, observables: {o: {scaling: CFUNCTION, mean: 1, sigma: 1}}}}
networks: {confidence: 0.95, degrees_of_freedom: 2}
"""

MLS_DNNC = """\
setup: {type: MLS_DNNC}
variables: {x: [0, 1], y: [0, 1]}
codes: {c: {function: m:f, observables: {o: , p: , q: , r: }}}
likelihoods:
  joint: {observables: [o, p], mean: [1, 2], sigma: [1, 1], correlation: [[1, 0.1], [0.1, 1]], scaling: JOINT_GAUSS}
  other: {observables: [o, q], mean: [1, 2], covariance: [[1, 0.1], [0.1, 1]]}
  split: {observables: r, mean: 1, sigma: {plus: 1, minus: 2}, scaling: BARLOW}
  upper: {observables: [r], mean: 1, sigma: 1, scaling: GAUSS_UPPER}
networks: {threshold_value: {above_best: 3}, bootstrap_points: 10, candidate_points: 100, k_initial: 5, batch_size: 4,
           iterations: 5, epochs: 6, neurons: 10, random_fraction: 0.1, learning_rate: 0.01}
"""

GRID = """\
setup: {type: GRID}
variables: {x: {range: [0, 1], steps: 3}, y: {values: [1, 2]}, z: 3, i: {range: [0, 4], type: integer}}
codes:
  model:
    umbridge: {address: 'http://127.0.0.1:4242', model: f, inputs: [x, y], outputs: [a, b], config: {level: 2}}
    observables: {a: {}}
  toy_targets: {rosenbrock_a: 1, easom_center: [1, 2], observables: {Rosenbrock: }}
  off: {run: false, anything: 1}
"""

FLAVIO = """\
setup: {type: RANDOM}
variables: {x: [-1, 1]}
codes:
  flavour:
    flavio: {eft: WET, basis: flavio, scale: 4.8, coefficients: {C9_bsmumu: x, C10_bsmumu: [x, 0]}}
    observables:
      BR: {flavio: BR(Bs->mumu), measurement: CMS}
      P5p: {flavio: [<P5p>(B0->K*mumu), 4, 6], mean: -0.439, sigma: 0.135}
networks: {threshold_value: [1, 2]}
"""

FITTING = """\
variables: {x: [0, 1]}
fitting:
  variables: {f: [0, 2], g: {range: [0, 1]}}
  observables: {o: {target: 1, sigma: 0.1}, p: {target: 2}}
  method: least_squares
  options: {eps: 0.001, max_evaluations: 100}
codes: {c: {function: m:f, observables: {o: , p: , q: {scaling: LOWER, mean: 1, sigma: 1}}}}
"""

GOOD = {
    "LODE": LODE,
    "CMAES_ND": CMAES_ND,
    "MLS_DNNC": MLS_DNNC,
    "GRID": GRID,
    "FLAVIO": FLAVIO,
    "FITTING": FITTING,
}


def load(text):
    """The content of a scan file in YAML, with the types of JSON."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text)))
