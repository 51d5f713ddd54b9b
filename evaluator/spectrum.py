"""Reads SLHA files (hep-ph/0311123, 0801.0045): blocks, decays, and what SPINFO says."""

from __future__ import annotations

from dataclasses import dataclass, field

from evaluator.errors import CodeFailed
from scanspec import SlhaAddress


@dataclass
class Decay:
    """Total width in GeV, and branching ratios by sorted daughters (PDG numbers)."""

    width: float
    branching_ratios: dict[tuple[int, ...], float] = field(default_factory=dict)


@dataclass
class Spectrum:
    """What an SLHA file holds. Block names are in upper case; of two blocks of one name the later wins."""

    blocks: dict[str, dict[tuple[int, ...], str]] = field(default_factory=dict)
    decays: dict[int, Decay] = field(default_factory=dict)
    spinfo: list[tuple[int, str]] = field(default_factory=list)

    def __getitem__(self, address: tuple[str, *tuple[int, ...]]) -> float:
        """spectrum["MASS", 25] in the file's units (GeV for masses); raises CodeFailed when it is not there."""
        return self.entry(SlhaAddress(address[0].upper(), tuple(address[1:])))

    def entry(self, address: SlhaAddress) -> float:
        """A block entry, a WIDTH or a BR; raises CodeFailed when it is missing or no number."""
        flat = tuple(index for index in address.indices if isinstance(index, int))
        if address.block == "WIDTH":
            return self._decay(flat[0]).width
        if address.block == "BR":
            daughters = [
                each for index in address.indices[1:] for each in ((index,) if isinstance(index, int) else index)
            ]
            # a channel that a decay table leaves out is closed: its branching ratio is 0
            return self._decay(flat[0]).branching_ratios.get(tuple(sorted(daughters)), 0.0)
        block = self.blocks.get(address.block)
        if block is None:
            raise CodeFailed(f"the output has no block {address.block}")
        if flat not in block:
            raise CodeFailed(f"the output has no entry {address}")
        try:
            return to_float(block[flat])
        except ValueError:
            raise CodeFailed(f"the entry {address} of the output is {block[flat]!r}, not a number") from None

    def _decay(self, pdg: int) -> Decay:
        if pdg not in self.decays:
            raise CodeFailed(f"the output has no DECAY of {pdg}")
        return self.decays[pdg]


LARGEST_SPECTRUM = 32 * 2**20
"""Bytes: real spectra have some 100 kB."""


def to_float(word: str) -> float:
    """A number, also with Fortran's exponent (1.0D+02)."""
    try:
        return float(word)
    except ValueError:
        return float(word.replace("D", "E").replace("d", "e"))


def read_spectrum(text: str) -> Spectrum:
    """Reads the text of an SLHA file. Never fails: what cannot be read is not in the result."""
    spectrum = Spectrum()
    block: dict[tuple[int, ...], str] | None = None
    decay: Decay | None = None
    name = ""
    for line in text.replace("\0", "").splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        head = words[0].upper()
        if head == "BLOCK" and len(words) > 1:
            name, decay = words[1].upper(), None
            block = spectrum.blocks[name] = {}
        elif head == "DECAY" and len(words) > 2:
            block = None
            decay = _read_decay_head(spectrum, words)
        elif block is not None:
            _read_entry(spectrum, name, block, words)
        elif decay is not None:
            _read_channel(decay, words)
    return spectrum


def _read_entry(spectrum: Spectrum, name: str, block: dict[tuple[int, ...], str], words: list[str]) -> None:
    count = len(words) - 1
    indices = []
    for word in words[:count]:
        try:
            indices.append(int(word))
        except ValueError:
            break
    value = " ".join(words[len(indices) :])
    block[tuple(indices)] = value
    if name == "SPINFO" and len(indices) == 1:
        spectrum.spinfo.append((indices[0], value))


def _read_decay_head(spectrum: Spectrum, words: list[str]) -> Decay | None:
    try:
        decay = Decay(to_float(words[2]))
        spectrum.decays[int(words[1])] = decay
    except ValueError:
        return None
    return decay


def _read_channel(decay: Decay, words: list[str]) -> None:
    try:
        count = int(words[1])
        daughters = tuple(sorted(int(word) for word in words[2 : 2 + count]))
        decay.branching_ratios[daughters] = to_float(words[0])
    except (ValueError, IndexError):
        return
