"""The documents module: its decisions, and its systems called as the plain functions that they are."""

import hashlib
from collections.abc import Iterator, Sequence

import pytest

import documents
from cim import Blob, Failure
from cim.contract.composition import compose
from cim.ports.reading import Page, Reading
from cim.testing.given import given
from documents import Document, Kind, Preview, Receive, Received, Sentiment, Text
from documents.kinds import GLOSSARY
from languages import Language, languages, tell

SCAN = Blob("ab" * 32, 3, "image/png")
RECEIVED = Received("d1", "Letter", SCAN)


class Store:
    """Contents in a dictionary."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def load(self, blob: Blob) -> bytes:
        if blob.sha256 not in self.contents:
            raise Failure(f"content {blob.sha256} is not in the store")
        return self.contents[blob.sha256]

    def keep(self, content: bytes, media: str) -> Blob:
        digest = hashlib.sha256(content).hexdigest()
        self.contents[digest] = content
        return Blob(digest, len(content), media)


class Reader:
    """Reads a picture as the text that it is, surer the longer it is."""

    def read(self, picture: bytes) -> Reading:
        if picture == b"smudge":
            raise Failure("the picture shows nothing")
        return Reading(picture.decode(), 0.5, ())


class Paper:
    """A PDF whose pages are its lines; a line in brackets is a picture."""

    def pages(self, content: bytes) -> Iterator[Page]:
        if content == b"broken":
            raise Failure("the file is broken")
        for number, line in enumerate(content.decode().splitlines(), start=1):
            shown = line.startswith("[")
            yield Page(number, "" if shown else line, line.strip("[]").encode() if shown else None)

    def picture(self, content: bytes, page: int, width: int) -> bytes:
        return f"page {page}, {width} wide, of {content.decode()}".encode()


class Meanings:
    """Finds a text near to the definition that shares its first word."""

    def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        return [(1.0, 0.0) if "invoice" in text.split("that")[0].lower() else (0.0, 1.0) for text in texts]


class Mood:
    def score(self, text: str) -> float:
        return -0.712345 if "broken" in text else 0.0


@pytest.fixture
def store() -> Store:
    return Store()


def document(store: Store, content: bytes, media: str) -> Document:
    return Document("Letter", store.keep(content, media))


def test_a_document_is_received_once() -> None:
    given(Document).when(Receive("d1", "Letter", SCAN)).then(RECEIVED)
    given(Document, RECEIVED).when(Receive("d1", "Letter", SCAN)).rejects("already received")
    given(Document, RECEIVED).when(Receive("d1", "Another", SCAN)).rejects("already received")


def test_a_document_has_a_title_without_blanks_around() -> None:
    given(Document).when(Receive("d1", "  A letter \n", SCAN)).then(Received("d1", "A letter", SCAN))
    for blank in ("", " ", "\n\t"):
        given(Document).when(Receive("d1", blank, SCAN)).rejects("a document needs a title")


def test_what_was_received_is_remembered() -> None:
    assert given(Document, RECEIVED).state == Document("Letter", SCAN)


def test_a_picture_is_its_own_preview(store: Store) -> None:
    for media in documents.SHOWN:
        shown = document(store, b"picture", media)
        assert documents.preview(shown, store, Paper()) == Preview(Blob(_digest(b"picture"), 7, media))


def test_a_pdf_is_previewed_by_its_first_page(store: Store) -> None:
    found = documents.preview(document(store, b"words", "application/pdf"), store, Paper())
    assert found is not None
    assert found.picture.media == "image/png"
    assert store.load(found.picture) == b"page 1, 900 wide, of words"


@pytest.mark.parametrize("media", ["image/tiff", "text/html", "image/svg+xml"])
def test_what_a_browser_must_not_show_has_no_preview(store: Store, media: str) -> None:
    assert documents.preview(document(store, b"<svg/>", media), store, Paper()) is None


def test_a_picture_is_read_with_the_reader_s_confidence(store: Store) -> None:
    assert documents.read(document(store, b"Dear Sir", "image/jpeg"), store, Paper(), Reader()) == Text(
        "Dear Sir", 0.5
    )


def test_a_pdf_is_read_page_by_page_and_its_confidence_weighed_by_length(store: Store) -> None:
    mixed = document(store, b"typed\n[photographed it]", "application/pdf")
    assert documents.read(mixed, store, Paper(), Reader()) == Text("typed\n\nphotographed it", 0.625)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]"])
def test_a_blank_pdf_is_read_as_nothing(store: Store, content: bytes) -> None:
    found = documents.read(document(store, content, "application/pdf"), store, Paper(), Reader())
    assert found.body.strip() == ""
    assert found.confidence == 0.0


@pytest.mark.parametrize(
    ("content", "media", "cause"),
    [
        (b"words", "text/plain", "text/plain is neither a picture nor a PDF: hand it in as one of these"),
        (b"broken", "application/pdf", "the file is broken"),
        (b"smudge", "image/png", "the picture shows nothing"),
    ],
)
def test_what_cannot_be_read_says_why(store: Store, content: bytes, media: str, cause: str) -> None:
    with pytest.raises(Failure) as told:
        documents.read(document(store, content, media), store, Paper(), Reader())
    assert str(told.value) == cause


def test_a_content_that_is_gone_is_a_failure(store: Store) -> None:
    with pytest.raises(Failure, match="is not in the store"):
        documents.read(Document("Letter", SCAN), store, Paper(), Reader())


def test_a_kind_is_the_nearest_of_the_glossary() -> None:
    assert documents.classify(Text("Invoice 7, amount due 12.40", 1.0), Meanings()) == Kind("invoice", 1.0)
    assert documents.classify(Text("Dear Sir", 1.0), Meanings()).kind in GLOSSARY.keys() - {"invoice"}


def test_a_sentiment_is_named_and_rounded() -> None:
    assert documents.feel(Text("It came broken.", 1.0), Mood()) == Sentiment("negative", -0.7123)
    assert documents.feel(Text("", 0.0), Mood()) == Sentiment("neutral", 0.0)


def test_facts_are_found_in_the_text_or_are_none() -> None:
    nothing = documents.find(Text("", 0.0))
    assert (nothing.date, nothing.total, nothing.company) == (None, None, None)
    found = documents.find(Text("Harbour Coffee Ltd\nDate: 12/03/2024\nTotal: 12.40\nThank you", 1.0))
    assert (found.date, found.total) == ("2024-03-12", "12.40")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("This is the letter that was sent to you on Monday.", "English"),
        ("Der Brief ist nicht für die Kinder, sie sind auch im Haus.", "German"),
        ("Le chat est dans la maison et les enfants sont sur le lit.", "French"),
        ("12.40 7.00 19.40", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_language_is_told_by_its_small_words(body: str, name: str) -> None:
    found = tell(Text(body, 1.0))
    assert found.name == name
    assert 0.0 <= found.score <= 1.0


def test_the_modules_fit_together() -> None:
    composition = compose([documents.documents, languages])
    assert [str(system) for system in composition.systems] == [
        "documents.preview",
        "documents.read",
        "documents.classify",
        "documents.feel",
        "documents.find",
        "languages.tell",
    ]
    (late,) = composition.systems[-1].writes
    assert (late.component, late.key) == (Language, "languages.Language")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
