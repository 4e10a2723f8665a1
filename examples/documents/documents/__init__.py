"""Paper in, knowledge out: documents are received, read and judged."""

from collections.abc import Iterable
from typing import assert_never

from cim import Blob, Blobs, Changed, Command, Component, Context, Event, Failure, Reject, State
from cim.ports import judging
from cim.ports.reading import Ocr, Pdf

from .facts import find_facts
from .kinds import GLOSSARY, OTHER, gist, nearest
from .sentiment import label

documents = Context("documents", glossary=GLOSSARY)

PDF = "application/pdf"
SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp")
PREVIEW_WIDTH = 900


class Receive(Command):
    """Hand in a document for reading."""

    document: str
    title: str
    scan: Blob


class Received(Event):
    """A document arrived."""

    document: str
    title: str
    scan: Blob


@documents.entity(key="document")
class Document(State):
    """A paper or PDF that someone sent us."""

    title: str = ""
    scan: Blob | None = None

    def decide(self, command: Receive) -> Iterable[Received]:
        match command:
            case Receive(document, title, scan):
                if self.scan is not None:
                    raise Reject("already received")
                if not title.strip():
                    raise Reject("a document needs a title")
                return [Received(document, title.strip(), scan)]
            case _:
                assert_never(command)

    def evolve(self, event: Received) -> "Document":
        match event:
            case Received(_, title, scan):
                return self.but(title=title, scan=scan)
            case _:
                assert_never(event)


@documents.component(of=Document)
class Preview(Component):
    """What the first page looks like, as a picture that a browser can show."""

    picture: Blob


@documents.component(of=Document)
class Text(Component):
    """What the pages say, as read. ``confidence`` runs from 0 to 1; it is 1 where nothing was guessed."""

    body: str
    confidence: float


@documents.component(of=Document)
class Kind(Component):
    """Which of the glossary's kinds the document is nearest to, and how near (a cosine)."""

    kind: str
    score: float


@documents.component(of=Document)
class Sentiment(Component):
    """How the document's words feel: negative, neutral or positive; ``score`` from -1 to 1."""

    label: str
    score: float


@documents.component(of=Document)
class Facts(Component):
    """The date (ISO 8601), the total (a decimal string) and the company, where the text tells them."""

    date: str | None
    total: str | None
    company: str | None


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
        reading = ocr.read(content)
        return Text(reading.body, reading.confidence)
    if scan.media != PDF:
        raise Failure(f"{scan.media} is neither a picture nor a PDF: hand it in as one of these")
    parts: list[tuple[str, float]] = []
    for page in pdf.pages(content):
        if page.picture is None:
            parts.append((page.text, 1.0))
        else:
            reading = ocr.read(page.picture)
            parts.append((reading.body, reading.confidence))
    letters = sum(len(body) for body, _ in parts)
    confidence = sum(len(body) * sure for body, sure in parts) / letters if letters else 0.0
    return Text("\n\n".join(body for body, _ in parts), round(confidence, 4))


@documents.system
def classify(text: Changed[Text], embedding: judging.Embedding) -> Kind:
    """Say which kind of document it is: the glossary's definitions are the model."""
    if not text.body.strip():
        return Kind(OTHER, 0.0)
    vector, *definitions = embedding.embed([gist(text.body), *GLOSSARY.values()])
    kind, score = nearest(vector, dict(zip(GLOSSARY, definitions, strict=True)))
    return Kind(kind, round(score, 4))


@documents.system
def feel(text: Changed[Text], sentiment: judging.Sentiment) -> Sentiment:
    """Say how the words feel."""
    score = sentiment.score(text.body)
    return Sentiment(label(score), round(score, 4))


@documents.system
def find(text: Changed[Text]) -> Facts:
    """Find the facts by the words around them."""
    found = find_facts(text.body)
    return Facts(found.date, found.total, found.company)


def _scan(document: Document) -> Blob:
    assert document.scan is not None, "a document that was received has a scan"
    return document.scan
