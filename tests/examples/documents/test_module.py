"""The documents module: its decisions, and its systems called as the plain functions that they are."""

import hashlib
from collections.abc import Iterator, Sequence

import pytest

import documents
from cim import Blob, Failure, Reject
from cim.contract.composition import compose
from cim.ports.reading import Page, Reading, Word
from cim.testing.given import given
from documents import (
    Correct,
    Corrected,
    Document,
    Facts,
    Kind,
    Preview,
    Receive,
    Received,
    Sentiment,
    Text,
)
from documents.facts import Doubt, Place
from documents.kinds import GLOSSARY
from documents.layout import packed, unpacked
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
    """Reads a picture as the text that it is; tells where its words stand when asked to."""

    def __init__(self, *, placed: bool = False) -> None:
        self._placed = placed

    def read(self, picture: bytes) -> Reading:
        if picture == b"smudge":
            raise Failure("the picture shows nothing")
        body = picture.decode()
        words = [Word(text, 0.5, 0.0, 0.0, 0.1, 0.1, 1) for text in body.split() if self._placed]
        return Reading(body, 0.5, tuple(words))


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


def test_facts_are_found_in_the_text_or_are_none(store: Store) -> None:
    nothing = documents.find(Text("", 0.0), store)
    assert nothing == Facts()
    body = "Harbour Coffee Ltd\nDate: 25/03/2024\nTotal: 12.40\nThank you"
    found = documents.find(Text(body, 1.0), store)
    assert (found.date, found.total) == ("2024-03-25", "12.40")
    assert found.places == (), "where its words stand is not known"


def test_each_fact_has_the_place_of_its_words(store: Store) -> None:
    body = "Harbour Coffee Ltd\nDate: 25/03/2024\nTotal: 12.40\nThank you"
    words = tuple(
        Word(text, 0.9, 0.1 * column, 0.2 * row, 0.05, 0.1, 3)
        for row, line in enumerate(body.splitlines())
        for column, text in enumerate(line.split())
    )
    found = documents.find(Text(body, 1.0, store.keep(packed(words), "application/json")), store)
    places = {place.fact: place for place in found.places}
    assert places["total"] == Place("total", 3, 0.1, 0.4, 0.05, 0.1), "to a ten thousandth of the page"
    assert (places["date"].top, places["date"].left) == (0.2, 0.1)
    assert places["company"].top == 0.0


def test_words_are_kept_to_a_ten_thousandth_of_the_page() -> None:
    word = Word("Zoë", 0.91234, 0.123456, 1.0, 0.0, 0.5, 2)
    assert unpacked(packed([word])) == (Word("Zoë", 0.9123, 0.1235, 1.0, 0.0, 0.5, 2),)
    assert unpacked(packed([])) == ()


def test_the_words_of_a_pictured_page_know_their_page(store: Store) -> None:
    mixed = document(store, b"typed\n[photographed it]", "application/pdf")
    found = documents.read(mixed, store, Paper(), Reader(placed=True))
    assert found.words is not None
    assert [(word.text, word.page) for word in unpacked(store.load(found.words))] == [
        ("photographed", 2),
        ("it", 2),
    ]


def test_a_correction_says_what_is_right() -> None:
    said = Correct("d1", total=" 80.90 ", date="2018-12-25", kind="letter")
    given(Document, RECEIVED).when(said).then(Corrected("d1", "2018-12-25", "80.90", None, "letter"))
    given(Document, RECEIVED).when(Correct("d1", company=" ")).then(Corrected("d1", company=""))
    assert given(Document, RECEIVED, Corrected("d1", total="1.00")).state == Document("Letter", SCAN)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Correct("d1"), "a correction says what is right: date, total, company or kind"),
        (Correct("d1", date="25/12/2018"), "date '25/12/2018' is no day: write it as 2018-12-25"),
        (Correct("d1", date="20181225"), "date '20181225' is no day: write it as 2018-12-25"),
        (Correct("d1", date="2018-02-30"), "date '2018-02-30' is no day: write it as 2018-12-25"),
        (
            Correct("d1", total="RM 80.9"),
            "total 'RM 80.9' is no sum: write it with two places and no currency, as 80.90",
        ),
    ],
)
def test_a_correction_that_is_not_well_formed_is_refused(command: Correct, reason: str) -> None:
    given(Document, RECEIVED).when(command).rejects(reason)


def test_only_what_was_received_can_be_corrected_and_only_to_a_known_kind() -> None:
    given(Document).when(Correct("d1", total="1.00")).rejects("no such document was received")
    with pytest.raises(Reject, match="kind 'poem' is not known: choose one of invoice, receipt"):
        list(Document("Letter", SCAN).decide(Correct("d1", kind="poem")))


def test_a_correction_outranks_what_was_found_and_takes_its_place_and_doubt_away() -> None:
    places = (Place("total", 1, 0.1, 0.2, 0.3, 0.4), Place("date", 1, 0.5, 0.2, 0.3, 0.4))
    found = Facts("2018-05-06", "80.98", "Harbour", places, (Doubt("date", "it could be June"),))
    after = found.correct(Corrected("d1", total="80.90", company=""))
    assert after == Facts("2018-05-06", "80.90", None, places[1:], found.doubts)
    assert after.correct(Corrected("d1", date="2018-06-05")).doubts == ()
    assert found.correct(Corrected("d1", kind="letter")) == found
    assert Kind("receipt", 0.3).correct(Corrected("d1", kind="letter")) == Kind("letter", 1.0)
    assert Kind("receipt", 0.3).correct(Corrected("d1", total="1.00")) == Kind("receipt", 0.3)


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
