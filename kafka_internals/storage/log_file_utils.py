"""LogFileUtils and LocalLog's names: what the files and directories of a partition are called.

A segment's files carry its base offset as 20 digits, so that names sort as offsets do. A file that
is on its way in or out has one more suffix behind its own: a crash leaves it, and the next start
knows from the suffix what was meant.
"""

LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX = ".log", ".index", ".timeindex", ".txnindex"
PRODUCER_SNAPSHOT = ".snapshot"
SEGMENT_FILES = (LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX)  # the order in which they are renamed
DELETED, CLEANED, SWAP, TMP = ".deleted", ".cleaned", ".swap", ".tmp"
LONGEST_DIRECTORY_NAME = 255                                # characters, as file systems allow
LARGEST_OFFSET = 2**63 - 1                                  # a Java long


def segment_file(directory: object, base_offset: int, kind: str, suffix: str = "") -> str:
    """The path of one file: "orders-0/00000000000000000042.index"."""
    return f"{directory}/{base_offset:020d}{kind}{suffix}"


def offset_from_file(name: str) -> int:
    """The offset that a file name begins with, with or without its directory.

    ValueError where it does not begin with digits and a dot, or with too large a number.
    """
    digits = name.rpartition("/")[2].partition(".")[0]
    if not digits.isdecimal() or len(digits) > 20 or int(digits) > LARGEST_OFFSET:
        raise ValueError(f"{name!r} does not begin with an offset, as in '{0:020d}.log'")
    return int(digits)


def log_delete_dir_name(partition: object, unique: str) -> str:
    """The directory of a deleted partition: "orders-0.<32 hex digits>-delete".

    The topic's part is cut where the whole would be longer than 255 characters.
    """
    ending = f"-{str(partition).rpartition('-')[2]}.{unique}-delete"
    return str(partition).rpartition("-")[0][:LONGEST_DIRECTORY_NAME - len(ending)] + ending
