"""`datnet dashboard`: create the wandb dashboard of a project."""

from __future__ import annotations

import argparse

from datnet.commands.arguments import to_word
from datnet.errors import DatNetError, require_extra

DESCRIPTION = """\
Create a workspace view named DatNet in a wandb project. It shows the metrics of Table 3 for each
network with their standard deviation over seeds, the validation images, loss terms, learning rate,
images per second and GPU memory. Needs `wandb login` and pip install 'datnet[dashboard]'.
"""

EXAMPLES = """\
examples:
  datnet dashboard me/datnet
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "dashboard",
        help="create the wandb dashboard of a project",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "project",
        type=to_word,
        metavar="ENTITY/PROJECT",
        help="owner and name of the wandb project",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Create the dashboard and print its URL.

    Raises:
        DatNetError: If the project is not given as ENTITY/PROJECT, nobody is logged in, or wandb
            cannot be reached or refuses.
    """
    entity, _, project = arguments.project.partition("/")
    if not (entity and project):
        raise DatNetError(f"{arguments.project} is not a project; write ENTITY/PROJECT")
    require_extra("dashboard")
    from datnet.training.dashboard import dashboard  # takes seconds
    from datnet.training.wandb_logger import close_wandb, logged_in, server_problem, server_url

    try:
        if not logged_in():
            raise DatNetError("nobody is logged in to wandb; run: wandb login")
        if problem := server_problem(server_url()):
            raise DatNetError(f"{server_url()} cannot be used ({problem}); try again later")
        print(dashboard(entity, project).save().url)
    except DatNetError:
        raise
    except Exception as error:  # the client raises a different exception type at each step
        raise DatNetError(f"wandb refused the dashboard of {arguments.project}: {error}") from error
    finally:
        close_wandb()
    return 0
