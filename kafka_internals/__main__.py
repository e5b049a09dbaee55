"""`python3 -m kafka_internals VERB`: sets up once, then opens the course, tests it, and more.

This file parses as Python 3.7 and imports only what every Python has, so that an old Python and a
bare machine get one clear line.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit("This course needs Python 3.11 or newer; this is Python %d.%d. Start it with a newer "
             "one, like: python3.12 -m kafka_internals lab" % sys.version_info[:2])

from kafka_internals.tools.setup import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
