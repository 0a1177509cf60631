"""`datnet dashboard`: make the wandb dashboard of a project."""

from __future__ import annotations

import argparse

from datnet.commands.arguments import to_word
from datnet.errors import DatNetError, require_extra

DESCRIPTION = """\
Make a view named DatNet in a wandb project: Table 3's metrics of every network with the deviation
over seeds, pictures of every validation, loss terms, learning rate, images a second, GPU memory.
Needs `wandb login` and pip install 'datnet[dashboard]'.
"""

EXAMPLES = """\
examples:
  datnet dashboard me/datnet
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "dashboard",
        help="make the wandb dashboard of a project",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "project",
        type=to_word,
        metavar="ENTITY/PROJECT",
        help="who the project belongs to, and its name",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make it and print its address."""
    entity, _, project = arguments.project.partition("/")
    if not (entity and project):
        raise DatNetError(f"{arguments.project} names no project; write ENTITY/PROJECT")
    require_extra("dashboard", "wandb_workspaces", purpose="`datnet dashboard`")
    from datnet.training.dashboard import dashboard  # takes seconds
    from datnet.training.wandb_logger import close_wandb, logged_in, server_problem, server_url

    try:
        if not logged_in():
            raise DatNetError("nobody is logged in to wandb: wandb login")
        if problem := server_problem(server_url()):
            raise DatNetError(f"{server_url()} cannot be used ({problem}); try again later")
        print(dashboard(entity, project).save().url)
    except DatNetError:
        raise
    except Exception as error:  # the client has a kind of its own for every step
        raise DatNetError(f"wandb refuses the dashboard of {arguments.project}: {error}") from error
    finally:
        close_wandb()
    return 0
