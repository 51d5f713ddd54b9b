"""The connection to evaluators; no other package of the proposer imports grpc."""
