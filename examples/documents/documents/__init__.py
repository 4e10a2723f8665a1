"""Paper in, knowledge out: documents are received, read and judged."""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from cim import Blob, Blobs, Changed, Command, Component, Context, Event, Failure, Reject, State
from cim.ports import judging
from cim.ports.reading import Ocr, Page, Pdf, Reading

from .facts import Doubt, Place, find_facts
from .kinds import GLOSSARY, OTHER, nearest
from .layout import MEDIA, packed, unpacked
from .sentiment import label
from .wellformed import checked

documents = Context("documents", glossary=GLOSSARY)

PDF = "application/pdf"
SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp")
PREVIEW_WIDTH = 900


class Receive(Command):
    """Hand in a document for reading."""

    document: str
    title: str
    scan: Blob


class Correct(Command):
    """Put right what was found in a document. What is left out stays; an empty text says there is none."""

    document: str
    date: str | None = None
    total: str | None = None
    company: str | None = None
    kind: str | None = None


class Received(Event):
    """A document arrived."""

    document: str
    title: str
    scan: Blob


class Corrected(Event):
    """A person put right what was found in a document; None where nothing was said."""

    document: str
    date: str | None = None
    total: str | None = None
    company: str | None = None
    kind: str | None = None


@documents.entity(key="document")
class Document(State):
    """A paper or PDF that someone sent us."""

    title: str = ""
    scan: Blob | None = None

    def decide(self, command: Receive | Correct) -> Iterable[Received | Corrected]:
        match command:
            case Receive(document, title, scan):
                if self.scan is not None:
                    raise Reject("already received")
                if not title.strip():
                    raise Reject("a document needs a title")
                return [Received(document, title.strip(), scan)]
            case Correct(document, date, total, company, kind):
                if self.scan is None:
                    raise Reject("no such document was received")
                if date is total is company is kind is None:
                    raise Reject("a correction says what is right: date, total, company or kind")
                return [Corrected(document, *checked(date, total, company, kind))]
            case _:
                assert_never(command)

    def evolve(self, event: Received | Corrected) -> "Document":
        match event:
            case Received(_, title, scan):
                return self.but(title=title, scan=scan)
            case Corrected():
                # It concerns what was found, see Kind and Facts: nothing is to be read anew for it.
                return self
            case _:
                assert_never(event)


@documents.component(of=Document)
class Preview(Component):
    """What the first page looks like, as a picture that a browser can show."""

    picture: Blob


@documents.component(of=Document)
class Text(Component):
    """What the pages say, as read.

    ``confidence`` runs from 0 to 1; it is 1 where nothing was guessed. ``words`` keeps where each word of
    the body stands (see :mod:`documents.layout`); None where that is not known.
    """

    body: str
    confidence: float
    words: Blob | None = None


@documents.component(of=Document)
class Kind(Component):
    """Which of the glossary's kinds the document most likely is.

    ``score`` is a confidence from 0 to 1: of many documents with 0.8, about eight in ten are of the kind
    told; 0 where there was nothing to go by.
    """

    kind: str = OTHER
    score: float = 0.0

    def correct(self, event: Corrected) -> "Kind":
        return self if event.kind is None else Kind(event.kind or OTHER, 1.0)


@documents.component(of=Document)
class Sentiment(Component):
    """How the document's words feel: negative, neutral or positive; ``score`` from -1 to 1."""

    label: str
    score: float


@documents.component(of=Document)
class Facts(Component):
    """The date (ISO 8601), the total (a decimal string) and the company, where the text tells them.

    ``places`` are where each was read, ``doubts`` why a person should look at one.
    """

    date: str | None = None
    total: str | None = None
    company: str | None = None
    places: tuple[Place, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    def correct(self, event: Corrected) -> "Facts":
        said = {"date": event.date, "total": event.total, "company": event.company}
        right = {fact: value or None for fact, value in said.items() if value is not None}
        # A place shows where it was read, and a person's word was not read; nor is it in doubt.
        return self.but(
            **right,
            places=tuple(place for place in self.places if place.fact not in right),
            doubts=tuple(doubt for doubt in self.doubts if doubt.fact not in right),
        )


@documents.system
def preview(document: Changed[Document], blobs: Blobs, pdf: Pdf) -> Preview | None:
    """Make a picture of the first page."""
    scan = _scan(document)
    if scan.media != PDF:
        return Preview(scan) if scan.media in SHOWN else None
    return Preview(blobs.keep(pdf.picture(blobs.load(scan), 1, PREVIEW_WIDTH), "image/png"))


@documents.system
def read(document: Changed[Document], blobs: Blobs, pdf: Pdf, ocr: Ocr) -> Text:
    """Read the words on the pages: the text where there is text, else what the picture shows."""
    scan = _scan(document)
    content = blobs.load(scan)
    if scan.media.startswith("image/"):
        parts = [ocr.read(content)]
    elif scan.media == PDF:
        parts = [_read_page(page, ocr) for page in pdf.pages(content)]
    else:
        raise Failure(f"{scan.media} is neither a picture nor a PDF: hand it in as one of these")
    letters = sum(len(part.body) for part in parts)
    confidence = sum(len(part.body) * part.confidence for part in parts) / letters if letters else 0.0
    words = [word for part in parts for word in part.words]
    kept = blobs.keep(packed(words), MEDIA) if words else None
    return Text("\n\n".join(part.body for part in parts), round(confidence, 4), kept)


@documents.system
def classify(text: Changed[Text], embedding: judging.Embedding) -> Kind:
    """Say which kind of document it is: the glossary's definitions are the model."""
    kind, score = nearest(text.body, GLOSSARY, embedding)
    return Kind(kind, round(score, 4))


@documents.system
def feel(text: Changed[Text], sentiment: judging.Sentiment) -> Sentiment:
    """Say how the words feel."""
    score = sentiment.score(text.body)
    return Sentiment(label(score), round(score, 4))


@documents.system
def find(text: Changed[Text], blobs: Blobs) -> Facts:
    """Find the facts by the words around them, and the place of each on its page."""
    words = unpacked(blobs.load(text.words)) if text.words is not None else ()
    found = find_facts(text.body, words)
    return Facts(found.date, found.total, found.company, found.places, found.doubts)


def _read_page(page: Page, ocr: Ocr) -> Reading:
    if page.picture is None:
        return Reading(page.text, 1.0, page.words)
    reading = ocr.read(page.picture)
    return replace(reading, words=tuple(replace(word, page=page.number) for word in reading.words))


def _scan(document: Document) -> Blob:
    assert document.scan is not None, "a document that was received has a scan"
    return document.scan
