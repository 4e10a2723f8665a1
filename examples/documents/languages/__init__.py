"""A module that came later: which language a document is written in.

It is in no list of the machine: `cim work examples/documents --module languages` joins it to a
machine that runs, and every document that was ever read gets its language.
"""

from cim import Changed, Component, Context
from documents import Document, Text

languages = Context("languages")

# The commonest small words of each language: short, frequent, and mostly its own.
SMALL_WORDS = {
    "English": "the of and to in is for that with on was as it be by at this are from or have you not",
    "French": "le la les de des et en un une du est que pour dans qui sur pas au par ce il nous vous avec",
    "German": "der die das und ist nicht ein eine zu den mit von für auf dem sich des im wir sie es auch",
    "Spanish": "el la los las de y en un una que es por con para su del al lo como más pero no se",
    "Italian": "il lo la gli le di e un una che è per con del della nel sono non si da al come",
    "Dutch": "de het een en van ik te dat die in is niet op aan met voor zijn er maar om ook als",
    "Malay": "dan yang di ke dari untuk dengan ini itu pada adalah tidak akan kepada oleh anda terima kasih",
}


@languages.component(of=Document)
class Language(Component):
    """The language of the text, and the share of its telling words that speak for it (0 to 1)."""

    name: str
    score: float


@languages.system
def tell(text: Changed[Text]) -> Language:
    """Tell the language by its small words."""
    words = [word.strip(".,;:!?()\"'") for word in text.body.lower().split()]
    counts = {name: sum(word in set(small.split()) for word in words) for name, small in SMALL_WORDS.items()}
    name = max(counts, key=lambda language: counts[language])
    total = sum(counts.values())
    if counts[name] < 3:
        return Language("unknown", 0.0)
    return Language(name, round(counts[name] / total, 4))
