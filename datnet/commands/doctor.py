"""`datnet doctor`: check whether this machine has what DatNet needs."""

from __future__ import annotations

import argparse
import json
import textwrap
from dataclasses import asdict

from datnet.commands.arguments import to_name

DESCRIPTION = """\
Check packages, devices, weights, trained networks, data, wandb and disk space; report what is
broken and how to fix it. Downloads nothing and contacts no server. Exit status: 0 if DatNet can
train and stylize here; 1 if something that it needs is broken.
"""

EXAMPLES = """\
examples:
  datnet doctor
  datnet doctor --content /data/coco --style /data/wikiart
  datnet doctor --json > machine.json
"""

MARKS = {"ok": "ok", "note": "note", "broken": "BROKEN"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "doctor",
        help="check packages, devices, weights and data",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--content", type=to_name, help="also check this folder of photographs (images or shards)"
    )
    parser.add_argument("--style", type=to_name, help="also check this folder of paintings")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings.

    Returns:
        1 if something is broken, else 0.
    """
    from datnet.commands.diagnosis import examine

    findings = examine(arguments.content, arguments.style)
    broken = [finding for finding in findings if finding.state == "broken"]
    if arguments.json:
        report = {"ok": not broken, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return 1 if broken else 0
    topic = ""
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            print(f"\n{topic}" if finding is not findings[0] else topic)
        print_paragraph(f"  {MARKS[finding.state]:7}", f"{finding.name}: {finding.text}")
        if finding.cure:
            print_paragraph(" " * 9, f"→ {finding.cure}")
    if broken:
        names = ", ".join(finding.name for finding in broken)
        print(f"\nBroken: {names}. Some of DatNet does not work here.")
        return 1
    print("\nDatNet can train and stylize here.")
    return 0


def print_paragraph(start: str, text: str) -> None:
    """Print wrapped text without breaking paths and commands.

    Args:
        start: Start of the first line.
        text: The text after it.
    """
    print(
        textwrap.fill(
            text,
            width=100,
            initial_indent=start,
            subsequent_indent=" " * 9,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
