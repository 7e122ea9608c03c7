"""The `sqskit` command."""

import argparse
import io
import os
import signal
import sys
from pathlib import Path

from sqskit.environment import forget_aws
from sqskit.errors import UserError
from sqskit.mapping import LONGEST_VISIBILITY_TIMEOUT

ENV = "the environment on AWS, in samconfig.toml"
NAME = "of the message; its queue is an output of the stack"

# The port that debugpy's own examples and .vscode/launch.json name.
DEBUGGER_PORT = 5678


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="sqskit", description="Run the queues and functions of a SAM template on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    local = commands.add_parser("local", help="run the stack on this machine")
    local.add_argument(
        "--port", type=int, default=0, help="of the embedded AWS (default: a free one)"
    )
    local.add_argument("--open", action="store_true", help="open its page in a browser")
    local.add_argument("--plain", action="store_true", help="print only lines, as to a file")
    local.add_argument(
        "--debug",
        type=int,
        nargs="?",
        const=DEBUGGER_PORT,
        metavar="PORT",
        help=f"let a debugger attach, at this port (default: {DEBUGGER_PORT}; 0 is a free one)",
    )
    local.add_argument(
        "--retry-after",
        type=int,
        metavar="SECONDS",
        help="retry a message that ends the process after this time (default: the queue's "
        "visibility timeout)",
    )
    local.add_argument(
        "--parameter",
        type=parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the value of a parameter of the template; repeat it for others",
    )
    send = commands.add_parser("send", help="send the examples to the local stack, or to AWS")
    send.add_argument("--count", type=int, metavar="N", help="send N distinct messages")
    send.add_argument(
        "--example", type=Path, metavar="PATH", help="the examples for a stack on AWS"
    )
    contract = commands.add_parser("contract", help="write the files of contract/, or check them")
    contract.add_argument(
        "--check-against",
        metavar="REVISION",
        help="write nothing; check that bodies which are valid in this git revision stay valid",
    )
    dead_letters = commands.add_parser(
        "dead-letters", help="list the dead letters and why they failed"
    )
    redrive = commands.add_parser("redrive", help="send dead letters back to their queue")
    redrive.add_argument(
        "id", nargs="?", metavar="ID", help="of one, or how it begins (default: all)"
    )
    drop = commands.add_parser("drop", help="delete a dead letter, after asking")
    drop.add_argument("id", nargs="?", metavar="ID", help="of the dead letter, or how it begins")
    for command in (send, dead_letters, redrive, drop):
        command.add_argument("--env", help=f"{ENV} (default: the local stack)")
        command.add_argument("--name", help=NAME)
    pause = commands.add_parser("pause", help="let messages wait in their queue on AWS")
    resume = commands.add_parser("resume", help="process the messages in a queue on AWS again")
    for command in (pause, resume):
        command.add_argument("--env", required=True, help=ENV)
        command.add_argument("--name", required=True, help=NAME)
    for command in (local, send, contract, dead_letters, redrive, drop, pause, resume):
        command.add_argument(
            "--template",
            type=Path,
            default=Path("template.yaml"),
            metavar="PATH",
            help="the SAM template (default: template.yaml)",
        )
    options = parser.parse_args()
    if options.command == "local":
        if not 0 <= options.port < 65536:
            local.error("--port must be from 0 to 65535")
        if not 0 <= (options.debug or 0) < 65536:
            local.error("--debug must be from 0 to 65535")
        if not 0 <= (options.retry_after or 0) <= LONGEST_VISIBILITY_TIMEOUT:
            local.error(f"--retry-after must be from 0 to {LONGEST_VISIBILITY_TIMEOUT} seconds")
    if options.command == "send" and bool(options.env) != bool(options.example):
        send.error("--env and --example are given together")
    if options.command == "send" and options.count not in {None, *range(1, 100_001)}:
        send.error("--count must be from 1 to 100000")
    if getattr(options, "env", None) and not options.name:
        parser.error("--env and --name are given together")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every output can show every message
    signal.signal(signal.SIGINT, signal.default_int_handler)  # even if the shell ignores it
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(options)
    except BrokenPipeError:  # nobody reads on, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (UserError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        pass


def parameter(value: str) -> tuple[str, str]:
    name, equals, text = value.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"write it as NAME=VALUE, not {value}")
    return name, text


def run(options: argparse.Namespace) -> None:
    """Run a command. Each imports only what it needs, to start faster."""
    template = options.template.resolve()
    if not getattr(options, "env", None):
        forget_aws()
    match options.command:
        case "local":
            from sqskit.address import claim
            from sqskit.server_process import ServerProcess

            claim(template)
            print(f"Starting moto, and deploying {options.template} to it …", flush=True)
            server = ServerProcess(options.port)
            # It starts during the other imports, because these take a second.
            from sqskit.local import run as run_local

            parameters = dict(options.parameter)
            run_local(
                template,
                server,
                options.plain,
                options.retry_after,
                parameters,
                options.open,
                options.debug,
            )
        case "send":
            from sqskit.send import send_examples, send_to_aws

            if options.env:
                send_to_aws(template, options.env, options.name, options.example)
            else:
                send_examples(template, options.count)
        case "contract" if options.check_against is not None:
            from sqskit.compatibility import check

            check(template, options.check_against)
        case "contract":
            from sqskit.contract import write

            write(template)
        case "pause" | "resume":
            from sqskit import pausing

            switch = pausing.pause if options.command == "pause" else pausing.resume
            switch(template, options.env, options.name)
        case command:
            from sqskit.dead_letters import run as run_command

            id_ = getattr(options, "id", None)
            run_command(command, template, options.env, options.name, id_)


if __name__ == "__main__":
    main()
