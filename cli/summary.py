"""The end of a scan in words, and as one line of JSON."""

import json

from rich.console import Console
from rich.table import Table

from db.counts import Progress, scan_facts
from fakesweep.errors import UnreachableImage
from fakesweep.settings import Settings, mask_url

FAKES_FIRST = "SELECT uri, score FROM verdicts WHERE verdict = 'fake' AND scan_id ="


def to_json(progress: "Progress") -> str:
    """Give the counts of a scan as one line of JSON."""
    return json.dumps(scan_facts(progress))


def print_summary(progress: "Progress", failures: dict[str, int], settings: Settings) -> None:
    """Print the counts of a scan, where its verdicts are, and how to look at them, on stderr."""
    console = Console(stderr=True, highlight=False)
    scan = progress.scan
    state = "paused" if scan.open and scan.paused else scan.status
    console.print(f"scan {scan.id} {state}, model version {scan.model_version}", soft_wrap=True)
    grid = Table(show_header=False, box=None)
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column()
    grid.add_row("images", f"{scan.images:,}")
    earlier = f"({scan.unchanged_fake:,} fake by their last verdict)" if scan.unchanged_fake else ""
    grid.add_row("unchanged", f"{scan.unchanged:,}", earlier)
    for name in ("fake", "real", "uncertain", "no_face"):
        grid.add_row(name, f"{getattr(progress, name):,}")
    codes = ", ".join(f"{code} {count:,}" for code, count in failures.items())
    grid.add_row("failed", f"{progress.failed:,}", f"({codes})" if codes else "")
    if scan.passed_over:
        grid.add_row("passed over", f"{scan.passed_over:,}", "(no image, hidden, or a link)")
    grid.add_row("images/s", f"{progress.images_per_s:,.1f}", f"({progress.seconds:,.1f} s)")
    console.print(grid)
    if scan.error_message:
        console.print(f"incomplete: {scan.error_message}", soft_wrap=True, markup=False)
    console.print(
        f"The verdicts are in {mask_url(settings.database_url)}. Look at them:",
        soft_wrap=True,
        markup=False,
    )
    commands = [
        f"fakesweep export {scan.id} --output verdicts.csv",
        f'fakesweep query "{FAKES_FIRST} {scan.id} ORDER BY score DESC LIMIT 20"',
    ]
    if scan.open:
        commands.append(f"fakesweep {'resume' if scan.paused else 'status'} {scan.id}")
    elif UnreachableImage.code in failures:
        commands.append(f"fakesweep resume {scan.id}   (tries what was unreachable again)")
    for command in commands:
        console.print(f"  {command}", soft_wrap=True, markup=False)
