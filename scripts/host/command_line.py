"""What the scripts' command lines have in common: a sentence for every error, and sysexits(3)."""

import argparse
import os
import sys

USAGE, UNAVAILABLE, CANNOT_CREATE, NO_PERMISSION = 64, 69, 73, 77


class Failure(Exception):
    """Ends the script: exit code, and a sentence that names what was wrong, where, and what to do."""

    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = code


class Parser(argparse.ArgumentParser):
    """Explains itself with the script's own words, and complains in one sentence."""

    def __init__(self, name, text):
        super().__init__(prog=name, usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
        self.text = text.strip()
        self.add_argument("--help", "-h", action="store_true")

    def parse_args(self, args=None, namespace=None):
        if args and ("--help" in args or "-h" in args):
            print(self.text)
            sys.exit(0)
        return super().parse_args(args, namespace)

    def error(self, message):
        raise Failure(USAGE, "%s; see scripts/%s --help" % (message, self.prog))


def run(name, main):
    """Calls main with the arguments, and turns what it raises into a sentence and an exit code."""
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        complain(name, failure, failure.code)
    except BrokenPipeError:             # who reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except PermissionError as error:
        complain(name, "%s: no permission; run it as root" % error.filename, NO_PERMISSION)
    except OSError as error:
        complain(name, "%s: %s" % (error.filename or "the system", error.strerror), UNAVAILABLE)


def complain(name, sentence, code):
    print("%s: %s" % (name, sentence), file=sys.stderr)
    sys.exit(code)
