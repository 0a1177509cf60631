"""Check whether this machine has what DatNet needs.

A broken installation must not make these checks fail: modules import only the standard library at
the top, packages are first imported in a separate process, and a check that raises becomes a
finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from datnet.commands.diagnosis.files import check_images, check_networks, check_weights
from datnet.commands.diagnosis.finding import Finding, one_line
from datnet.commands.diagnosis.machine import check_devices, check_disk, check_tracking
from datnet.commands.diagnosis.packages import check_extras, check_packages
from datnet.commands.diagnosis.probe import run_probe


def examine(content: str | None = None, style: str | None = None) -> list[Finding]:
    """Run all checks, without any download or network request.

    Args:
        content: Folder of photographs (images or shards), or its URL; None to skip the check.
        style: Folder of paintings, likewise.

    Returns:
        The findings, grouped by topic.
    """
    probed = run_probe()
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("packages", partial(check_packages, probed)),
        ("packages", check_extras),
        ("devices", partial(check_devices, probed)),
    ]
    findings: list[Finding] = []
    if "error" in probed.get("torch", {"error": ""}):
        text = "not checked, because torch is broken"
        topics = ("weights", "networks", "disk", "data")
        findings = [Finding(topic, topic, "note", text) for topic in topics]
    else:
        checks += [("weights", check_weights), ("networks", check_networks), ("disk", check_disk)]
        for name, folder in (("content", content), ("style", style)):
            if folder is not None:
                checks.append(("data", partial(check_images, name, folder)))
    checks.append(("tracking", partial(check_tracking, probed)))
    for topic, check in checks:
        try:
            findings += check()
        except Exception as error:  # a broken package can raise anything
            findings.append(Finding(topic, topic, "broken", one_line(error)))
    return findings
