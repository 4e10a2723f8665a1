"""What a person sees of the documents: a board of all, and one beside its picture."""

from cim import Each, Maybe, One
from cim.views import Correction as PutRight
from cim.views import (
    Element,
    Repeat,
    Row,
    Step,
    When,
    area,
    blob_url,
    clock,
    day,
    duration,
    each,
    entity_url,
    excerpt,
    form,
    h,
    magnitude,
    maybe,
    percent,
    plain,
    when,
)

from . import Correct, Document, Facts, Kind, Preview, Sentiment, Text, documents
from .facts import Doubt, Place

A_MINUTE = 60_000
"""The longest bar in a timeline, in milliseconds."""


def at_work(row: Row) -> When:
    """The systems that are due or running."""
    return when(
        row.working,
        lambda systems: h.span(each(systems, lambda system: h.span(plain(system))), class_="spinner"),
    )


def state(row: Row, facts: Maybe[Facts]) -> tuple[When, Repeat, When, When]:
    """What is being done to a document, what went wrong, what is in doubt, and that a person was here."""
    doubts = when(facts, lambda it: each(it.doubts, doubt_badge))
    mended = when(row.corrected, lambda all_: h.span("corrected", class_="chip"))
    trouble = each(
        row.failed,
        lambda it: h.span(plain(it.system), ": ", it.cause, class_="badge", title=it.cause),
    )
    return at_work(row), trouble, doubts, mended


def doubt_badge(doubt: Doubt) -> Element:
    """A fact that a person should look at."""
    return h.span(doubt.fact, "?", class_="badge", title=doubt.why)


def sense(sentiment: Sentiment) -> Element:
    """A sentiment as a mark with its word."""
    return h.span(sentiment.label, class_="sense", data_sense=sentiment.label)


def picture(preview: Maybe[Preview], alt: str) -> When:
    """The first page, or an empty sheet while there is no picture of it."""
    return when(
        preview,
        lambda it: h.img(src=blob_url(it.picture), alt=alt, loading="lazy"),
        h.span(class_="blank"),
    )


def chip(kind: Maybe[Kind]) -> When:
    """The kind and how sure it is."""
    return when(kind, lambda it: h.span(it.kind, " ", h.small(percent(it.score)), class_="chip"))


def title(row: Row, document: Document, text: Maybe[Text]) -> tuple[Element, When]:
    """The title, which opens the detail, over the first words."""
    words = when(text, lambda it: h.small(excerpt(it.body, 90)))
    return h.a(document.title, href=entity_url(row), class_="cover"), words


def date(facts: Maybe[Facts]) -> When:
    """The document's own date."""
    return when(facts, lambda it: when(it.date, lambda date: h.time(day(date), datetime=date)))


def extras(row: Row) -> Repeat:
    """A chip for each component that this view does not know of."""
    return each(row.others, lambda it: h.span(it.text, class_="chip", title=it.name))


@documents.view
def board(
    row: Row,
    document: Each[Document],
    preview: Maybe[Preview],
    text: Maybe[Text],
    kind: Maybe[Kind],
    facts: Maybe[Facts],
    sentiment: Maybe[Sentiment],
) -> Element:
    """Every document, and what is known of it by now."""
    company = when(facts, lambda it: it.company)
    return h.div(
        h.span(picture(preview, alt=""), class_="thumb", column="Page"),
        h.span(title(row, document, text), class_="main", column="Document"),
        h.span(chip(kind), class_="short", column="Kind"),
        h.span(date(facts), class_="short numeric quiet minor", column="Date"),
        h.span(when(facts, lambda it: it.total), class_="amount", column="Total"),
        h.span(company, class_="wide quiet minor", column="Company"),
        h.span(when(sentiment, sense), class_="short minor", column="Tone"),
        h.span(extras(row), class_="short minor", column="More"),
        h.span(state(row, facts), class_="wide", column="State"),
        class_="columns",
    )


@documents.view
def detail(
    row: Row,
    document: One[Document],
    preview: Maybe[Preview],
    text: Maybe[Text],
    kind: Maybe[Kind],
    facts: Maybe[Facts],
    sentiment: Maybe[Sentiment],
) -> Element:
    """One document: its picture beside what was read, and how that came about."""
    marks = h.div(chip(kind), when(sentiment, sense), at_work(row), class_="lines")
    words = when(text, lambda it: h.pre(excerpt(it.body, 6000), class_="body", tabindex=0))
    return h.article(
        h.header(h.h2(document.title), marks),
        trouble(row),
        h.div(
            h.figure(marked_picture(preview, facts), class_="picture"),
            h.div(
                known(facts, sentiment, text),
                corrections(row),
                correct(row, facts, kind),
                others(row),
                words,
            ),
            class_="pair",
        ),
        h.section(h.h3("How it came about"), h.ol(each(row.trail, step), class_="timeline")),
        class_="sheet",
    )


def trouble(row: Row) -> Repeat:
    """What could not be done, by which system, and why."""
    return each(
        row.failed,
        lambda it: h.p(h.strong(plain(it.system)), ": ", it.cause, class_="trouble", role="alert"),
    )


def marked_picture(preview: Maybe[Preview], facts: Maybe[Facts]) -> Element:
    """The first page, and on it the place of each fact that was read there."""
    marks = when(facts, lambda it: each(it.places, mark))
    return h.span(picture(preview, alt="The first page"), when(preview, lambda _: marks), class_="sheet-of")


def mark(place: Place) -> When:
    """A box around a fact; only the first page is shown."""
    box = h.span(
        h.span(place.fact), class_="place", area=area(place.left, place.top, place.width, place.height)
    )
    return when(place.page == 1, lambda _: box)


def corrections(row: Row) -> Repeat:
    """What people put right, and what the machine had found."""

    def told(it: PutRight) -> When:
        was = when(it.was, lambda was: (" was read as ", h.s(was)), " was not found")
        words = h.p(
            h.strong(plain(it.field)), was, "; put right at ", clock(it.time), " by ", it.by, class_="told"
        )
        # How sure the machine was of the kind is no word of a person.
        return when(it.field != "score", lambda _: words)

    return each(row.corrected, told)


def correct(row: Row, facts: Maybe[Facts], kind: Maybe[Kind]) -> Element:
    """Where a person puts right what was found."""
    return h.details(
        h.summary("Something is wrong"),
        form(
            Correct,
            row,
            date=maybe(facts, lambda it: it.date),
            total=maybe(facts, lambda it: it.total),
            company=maybe(facts, lambda it: it.company),
            kind=maybe(kind, lambda it: it.kind),
        ),
    )


def known(facts: Maybe[Facts], sentiment: Maybe[Sentiment], text: Maybe[Text]) -> Element:
    """What was found in the document, as terms and values."""
    return h.dl(
        when(facts, lambda it: when(it.company, lambda company: (h.dt("Company"), h.dd(company)))),
        when(facts, lambda it: when(it.date, lambda date: (h.dt("Date"), h.dd(day(date))))),
        when(facts, lambda it: when(it.total, lambda total: (h.dt("Total"), h.dd(total, class_="numeric")))),
        when(facts, lambda it: each(it.doubts, doubtful)),
        when(sentiment, lambda it: (h.dt("Tone"), h.dd(sense(it)))),
        when(text, lambda it: (h.dt("Read with"), h.dd(percent(it.confidence), " confidence"))),
        class_="facts",
    )


def doubtful(doubt: Doubt) -> tuple[Element, Element]:
    """A fact in doubt, and why."""
    return h.dt(doubt.fact, "?"), h.dd(doubt.why, class_="doubt")


def others(row: Row) -> When:
    """What modules found out that this view does not know of."""
    return when(
        row.others,
        lambda all_: h.dl(each(all_, lambda it: (h.dt(plain(it.name)), h.dd(it.text))), class_="facts"),
    )


def step(it: Step) -> Element:
    """One thing that happened, when, by whom, and how long it took."""
    return h.li(
        h.time(clock(it.time), datetime=it.time),
        h.div(
            plain(it.name),
            when(it.note, lambda note: h.small(note)),
            h.small(it.by),
        ),
        h.div(
            when(
                it.took,
                lambda took: (
                    duration(took),
                    h.meter(class_="bar", value=magnitude(took, A_MINUTE), aria_label="Duration"),
                ),
            ),
            class_="took",
        ),
        class_="step",
        data_kind=it.kind,
    )
