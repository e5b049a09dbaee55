"""A bet: guess before you run. Each option has its own answer, and nothing is scored.

It is made of `<details>` elements, so that it works in a live notebook, on a page without a kernel
and without JavaScript. The plain form asks, and does not tell.
"""

from html import escape


class Bet:
    """A question with two to four options, each with why somebody would think so and what is so."""

    def __init__(self, question: str, options: dict[str, str]) -> None:
        if not 2 <= len(options) <= 4:
            raise ValueError(f"a bet has 2 to 4 options, this one has {len(options)}")
        self.question, self.options = question, options

    def __repr__(self) -> str:
        letters = "ABCD"
        lines = [f"  {letters[at]}  {option}" for at, option in enumerate(self.options)]
        return "\n".join([f"Your bet: {self.question}", *lines])

    def _repr_html_(self) -> str:
        folds = "".join(
            f"<details style='margin:4px 0'><summary>{escape(option)}</summary>"
            f"<p style='margin:4px 0 8px 18px'>{escape(answer)}</p></details>"
            for option, answer in self.options.items())
        return (f"<div><p><b>Your bet.</b> {escape(self.question)}</p>{folds}"
                f"<p><i>Open the one you believe in, then run the next cell.</i></p></div>")


def bet(question: str, options: dict[str, str]) -> Bet:
    """Ask: `options` maps each possible answer to what there is to say about it."""
    return Bet(question, options)
