"""Small pieces of music to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_zoo.training.sources.scores import WrittenPiece, parse_score

FOUR_FOUR = "<time><beats>4</beats><beat-type>4</beat-type></time>"


def note(name: str, duration: int, *, staff: int = 1, chord: bool = False, inside: str = "") -> str:
    """A note such as ``F#4``, or a rest ``R``; ``inside`` is further MusicXML of it."""
    if name == "R":
        what = "<rest/>"
    else:
        step, alter, octave = name[0], name.count("#") - name.count("b"), name[-1]
        what = f"<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
    return (
        f"<note>{'<chord/>' if chord else ''}{what}<duration>{duration}</duration>"
        f"{inside}<staff>{staff}</staff></note>"
    )


def grace(name: str) -> str:
    """A grace note."""
    return note(name, 0, inside="<grace/>").replace("<duration>0</duration>", "")


def attributes(time: str = FOUR_FOUR, *, fifths: int = 0, staves: int = 1, more: str = "") -> str:
    """Attributes with two divisions a quarter."""
    return (
        f"<attributes><divisions>2</divisions><key><fifths>{fifths}</fifths></key>{time}"
        f"<staves>{staves}</staves>{more}</attributes>"
    )


def write(*parts: Sequence[str]) -> bytes:
    """A score of parts, each given as the content of its measures."""
    text = "".join(
        f'<part id="P{k}">' + "".join(f"<measure>{m}</measure>" for m in part) + "</part>"
        for k, part in enumerate(parts)
    )
    return f"<score-partwise>{text}</score-partwise>".encode()


def parse(*parts: Sequence[str]) -> WrittenPiece:
    """Such a score, parsed."""
    return parse_score("test", write(*parts))


def study(bars: int = 32, time: str = FOUR_FOUR, marks: Mapping[int, str] | None = None) -> bytes:
    """A keyboard study of broken chords over a bass, with ``marks`` on the downbeats of bars."""
    measures = []
    for bar in range(bars):
        downbeat = (marks or {}).get(bar, "")
        figures = ["C4", "E4", "G4", "C5", "G4", "E4", "B3", "D4"]
        upper = [note(figures[bar % 3], 1, inside=downbeat)]
        upper += [note(name, 1) for name in figures[1:]]
        lower = [note("C3", 4, staff=2), note("G2", 4, staff=2)]
        content = "".join([*upper, "<backup><duration>8</duration></backup>", *lower])
        measures.append((attributes(time, staves=2) if bar == 0 else "") + content)
    return write(measures)


def write_melody(steps: str, fifths: int = 0) -> bytes:
    """A melody of quarters in octave 4, in 4/4."""
    measures = [
        (attributes(fifths=fifths) if start == 0 else "")
        + "".join(note(f"{step}4", 2) for step in steps[start : start + 4])
        for start in range(0, len(steps), 4)
    ]
    return write(measures)


def write_waltz(bars: int = 24) -> bytes:
    """A melody in 3/4 with a pickup of a quarter, in half notes and quarters."""
    time = "<time><beats>3</beats><beat-type>4</beat-type></time>"
    figures = ("E", "C"), ("G", "E"), ("F", "D"), ("E", "G")
    measures = [attributes(time) + note("G4", 2)]
    for bar in range(bars):
        long, short = figures[bar % len(figures)]
        measures.append(note(f"{long}4", 4) + note(f"{short}4", 2))
    return write(measures)
