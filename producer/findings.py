"""What a listing meets besides images."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from db.listing import FoundImage
from fakesweep.uri import LONGEST_URI
from producer.sources import printable

SHOWN_PROBLEMS = 5


@dataclass
class Findings:
    """Files that are no images, and what could not be listed."""

    passed_over: int = 0
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)

    def add_problem(self, text: str) -> None:
        """Note what could not be listed; the first few are kept in words."""
        self.problem_count += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(text)

    def in_words(self) -> list[str]:
        """Give the noted problems, and how many more there were."""
        more = self.problem_count - len(self.problems)
        return [*self.problems, *([f"and {more} more"] if more else [])]

    def checked(self, found: FoundImage) -> Iterator[FoundImage]:
        """Give an image whose name the ledger can hold; note one that it cannot."""
        uri = found.uri
        if len(uri) > LONGEST_URI // 4 and len(uri.encode()) > LONGEST_URI:
            self.add_problem(
                f"{printable(uri[:60])}...: a name of {len(uri.encode())} bytes is too long for"
                f" the ledger, which holds {LONGEST_URI}"
            )
        else:
            yield found
