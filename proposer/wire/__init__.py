"""The pool of evaluators, and the connection to each. No other package of the proposer imports grpc.

Read it in this order:

- `pool`: the loop over events, which hands out points and takes results until every point is answered. It builds upon
  `attendance`: which evaluators there are, and whether they compute the same (`addresses` finds them, `agreement`
  compares an evaluator with the scan file).
- `remote`: the link to one evaluator, with its channel, its stream and its window, in a thread that posts `events`;
  `asking` asks for its description and for signs of life, `health` tells it whether the evaluator takes points,
  `messages` converts what it sends, and `security` has TLS and tokens.
- `under_way`: the points without an answer, and where each of them is. `hand_out` decides which evaluator gets which
  points, also for the second time; `answers` takes results, and sends the points of a lost evaluator again; `deaths`
  finds the point that has ended an evaluator.
- `patience`: how long to wait for an answer; `suspensions`: the time in which the scan itself was suspended.
"""
